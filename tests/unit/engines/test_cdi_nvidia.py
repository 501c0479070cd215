"""Where NVIDIA's toolkit is missing, dsvm finds what its file would say: on computers of files.

Real libraries, of real names, stand in the linker's cache of each; none is a driver's.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dsvm.engines.cdi.nvidia import generate
from dsvm.engines.cdi.registry import registry
from dsvm.errors import DsvmError
from dsvm.programs import which
from tests.unit.guest.computers import H100, INFORMATION, put, with_h100

VERSION = "550.163.01"
LIB = "usr/lib/x86_64-linux-gnu"
# A small library of the C library, whose own name leaves room for that of the driver's.
OWN_NAME = b"libpthread.so.0\0"
A_LIBRARY = next(iter(sorted(Path("/usr").glob("lib*/**/libpthread.so.0"))))


def library(root: Path, name: str, version: str = VERSION) -> None:
    """Known to the linker as `name`.so.1, if that is short enough."""
    data = A_LIBRARY.read_bytes()
    assert data.count(OWN_NAME) == 1
    known_as = f"{name}.so.1".encode()[: len(OWN_NAME) - 1].ljust(len(OWN_NAME), b"\0")
    target = root / LIB / f"{name}.so.{version}"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data.replace(OWN_NAME, known_as))


def cached(root: Path) -> Path:
    put(root, "etc/ld.so.conf", f"/{LIB}\n")
    subprocess.run([which("ldconfig") or "ldconfig", "-r", root], check=True)
    return root


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host with a GPU, its driver and no toolkit."""
    with_h100(tmp_path)
    for name in ("libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"):
        library(tmp_path, name)
    library(tmp_path, "libcudnn", "9.1.0")
    put(tmp_path, "dev/nvidia-uvm-tools", "")
    put(tmp_path, "usr/bin/nvidia-smi", "")
    put(tmp_path, "run/nvidia-persistenced/socket", "")
    put(tmp_path, f"lib/firmware/nvidia/{VERSION}/gsp_ga10x.bin", "")
    put(tmp_path, "lib/firmware/nvidia/535.0/gsp_ga10x.bin", "")
    return cached(tmp_path)


def test_all_that_a_gpu_needs_is_found_and_nothing_else(host: Path) -> None:
    spec = generate(host)

    edits = spec.container_edits
    assert [node.path for node in edits.device_nodes] == [
        *("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
    ]
    assert sorted(mount.host_path for mount in edits.mounts) == [
        f"/lib/firmware/nvidia/{VERSION}/gsp_ga10x.bin",
        "/run/nvidia-persistenced/socket",
        "/usr/bin/nvidia-smi",
        f"/{LIB}/libcuda.so.{VERSION}",
        f"/{LIB}/libnvidia-ml.so.{VERSION}",
        f"/{LIB}/libnvidia-ptxjitcompiler.so.{VERSION}",
    ]
    assert all(set(mount.options) >= {"ro", "nosuid", "nodev"} for mount in edits.mounts)
    assert [hook.args[1:] for hook in edits.hooks] == [
        ["create-symlinks", "--link", f"libcuda.so.1::/{LIB}/libcuda.so"],
        ["update-ldcache", "--folder", f"/{LIB}"],
    ]
    uuid = "GPU-00000000-0000-0000-0000-000000000000"
    assert [device.name for device in spec.devices] == ["0", uuid, "all"]


def test_gpus_are_counted_by_address_and_reached_by_their_nodes(host: Path) -> None:
    second = "0000:a1:00.0"
    told = INFORMATION.replace(H100, "0000:00:01.0").replace("Minor: \t 0", "Minor: \t 1")
    put(host, "proc/driver/nvidia/gpus/0000:00:01.0/information", told)
    put(host, f"proc/driver/nvidia/gpus/{second}/information", "Device Minor: \t 2\n")
    put(host, "dev/nvidia1", "")

    nodes = {
        device.name: [node.path for node in device.container_edits.device_nodes]
        for device in generate(host).devices
    }

    assert nodes["0"] == ["/dev/nvidia1"]
    assert nodes["1"] == ["/dev/nvidia0"]
    assert nodes["all"] == ["/dev/nvidia1", "/dev/nvidia0"]
    assert "2" not in nodes  # it has no node
    assert registry(host).find(H100).device.name == "1"


def test_the_parts_of_a_divided_gpu_come_with_it(host: Path) -> None:
    minors = "config 1\nmonitor 2\ngpu0/gi1/access 12\ngpu0/gi1/ci0/access 13\ngpu1/gi1/access 99\n"
    put(host, "proc/driver/nvidia-caps/mig-minors", minors)
    for number in (1, 12, 13, 99):
        put(host, f"dev/nvidia-caps/nvidia-cap{number}", "")

    first = generate(host).devices[0].container_edits.device_nodes

    assert [node.path for node in first] == [
        "/dev/nvidia0",
        "/dev/nvidia-caps/nvidia-cap12",
        "/dev/nvidia-caps/nvidia-cap13",
    ]


def test_the_open_module_tells_its_version_in_other_words(host: Path) -> None:
    line = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {VERSION}  Release Build\n"
    put(host, "proc/driver/nvidia/version", line)

    assert generate(host).kind == "nvidia.com/gpu"


def test_libraries_of_another_version_than_the_module_are_not_given(host: Path) -> None:
    version = host / "proc/driver/nvidia/version"
    version.write_text(version.read_text().replace(VERSION, "560.10"))

    with pytest.raises(DsvmError) as refused:
        generate(host)

    assert "has version 560.10, and the linker finds no libcuda.so.560.10" in str(refused.value)
    assert "restart the host" in str(refused.value)


@pytest.mark.parametrize(
    ("gone", "said", "remedy"),
    [
        ("proc/driver/nvidia/version", "driver is not loaded", "`dsvm hardware`"),
        ("dev/nvidia-uvm", "/dev/nvidia-uvm is missing", "nvidia-modprobe"),
        ("dev/nvidia0", "the driver has no GPU", "`dsvm hardware`"),
    ],
)
def test_a_part_that_is_missing_is_named_with_what_brings_it(
    host: Path, gone: str, said: str, remedy: str
) -> None:
    (host / gone).unlink()

    with pytest.raises(DsvmError, match=said) as refused:
        generate(host)

    assert remedy in (refused.value.remedy or "")


def test_a_file_of_the_toolkit_counts_before_what_dsvm_finds(host: Path) -> None:
    sample = Path(__file__).parents[2] / "data" / "nvidia-cdi.yaml"
    assert registry(host).find("nvidia.com/gpu=0").file is None

    file = put(host, "etc/cdi/nvidia.yaml", sample.read_text())

    assert registry(host).find("nvidia.com/gpu=0").file == file
    assert registry(host).find(H100).file == file
    with pytest.raises(DsvmError, match=r"did you mean `nvidia\.com/gpu=all`"):
        registry(host).find("nvidia.com/gpu=al")


def test_a_gpu_that_the_driver_does_not_hold_has_no_container(host: Path) -> None:
    with pytest.raises(DsvmError, match="NVIDIA's driver of this host does not hold it"):
        registry(host).find("0000:99:00.0")
