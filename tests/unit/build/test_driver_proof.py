"""An image with NVIDIA's driver has the module for the kernel that it boots."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from dsvm.build.disk import read_os_tar
from dsvm.errors import DsvmError

KERNEL = "6.12.118+deb13-cloud-amd64"
LIBRARY = "usr/lib/x86_64-linux-gnu/nvidia/current/libcuda.so.550.163.01"
BOOT = {f"boot/vmlinuz-{KERNEL}": b"kernel", "usr/lib/systemd/boot/efi/systemd-bootx64.efi": b"b"}


def module(kernel: str = KERNEL, version: str = "550.163.01") -> bytes:
    return f"\x7fELF\0version={version}\0vermagic={kernel} SMP mod_unload \0".encode()


def place(kernel: str) -> str:
    return f"usr/lib/modules/{kernel}/updates/dkms/nvidia-current-open.ko"


def prove(folder: Path, files: dict[str, bytes]) -> None:
    path = folder / "os.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in {**BOOT, **files}.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    system = read_os_tar(path)
    system.driver.prove(system.release)


def test_the_module_for_its_kernel_is_proof(tmp_path: Path) -> None:
    prove(tmp_path, {LIBRARY: b"", place(KERNEL): module()})


def test_an_image_without_the_driver_needs_none(tmp_path: Path) -> None:
    prove(tmp_path, {"usr/bin/git": b""})


@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ({}, "there are modules for: none"),
        ({place("6.12.107"): module("6.12.107")}, "there are modules for: 6.12.107"),
        ({place(KERNEL): module("6.12.107")}, "it says of its kernel: 6.12.107"),
        ({place(KERNEL): module(version="535.1")}, "it says of its version: 535.1"),
        ({place(KERNEL): b"\x7fELF"}, "it says of its kernel: nothing"),
    ],
    ids=["none", "of another kernel", "in the wrong place", "another version", "no module"],
)
def test_any_other_is_refused(tmp_path: Path, files: dict[str, bytes], cause: str) -> None:
    with pytest.raises(DsvmError) as refused:
        prove(tmp_path, {LIBRARY: b"", **files})

    assert KERNEL in refused.value.what
    assert refused.value.cause == cause
