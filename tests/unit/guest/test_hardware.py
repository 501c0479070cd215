"""Whether a GPU is really usable; if not, the one cause; and which variant is mounted for it.

The computers are folders (`computers`); what the driver's libraries would say is given.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dsvm.guest import nvml
from dsvm.guest.cuda import Attempt
from dsvm.guest.driver_set import SET
from dsvm.guest.environments import choose
from dsvm.guest.gpu_faults import SECURE_BOOT
from dsvm.guest.hardware import Look, Nvidia, rows
from tests.unit.guest.computers import plain, put, with_h100
from tests.unit.guest.test_gpus import told

BOTH = ["cpu", "nvidia"]
KERNEL = "6.12.107+deb13-amd64"
RAN = Attempt(capability="9.0", cuda="12.4")


def looked(root: Path, attempt: Attempt = RAN) -> Look:
    return Look(root, KERNEL, ask=told, attempt=lambda: attempt)


def refuses(number: int, node: str) -> Callable[[Path], int]:
    return lambda path: number if path.name == node else 0


def test_a_gpu_on_which_a_kernel_ran_is_usable(tmp_path: Path) -> None:
    found = looked(with_h100(tmp_path)).nvidia()

    assert found == Nvidia(True, None, "550.163.01", "12.4", "9.0")
    assert found.usable


def test_without_a_gpu_nothing_is_tried(tmp_path: Path) -> None:
    def never() -> Attempt:
        raise AssertionError("there is nothing to try")

    found = Look(plain(tmp_path), KERNEL, attempt=never).hardware()

    assert not found.nvidia.present
    assert found.gpus == ()


def no_module(root: Path, look: Look) -> Look:
    with_h100(root, driver=None)
    put(root, f"lib/modules/{KERNEL}/modules.dep", "kernel/drivers/net/veth.ko:\n")
    put(root, "lib/modules/6.12.99/modules.dep", "updates/dkms/nvidia.ko.xz:\n")
    return look


def secure_boot(root: Path, look: Look) -> Look:
    not_loaded(root, look)
    (root / SECURE_BOOT).parent.mkdir(parents=True)
    (root / SECURE_BOOT).write_bytes(b"\x06\0\0\0\x01")
    return look


def not_loaded(root: Path, look: Look) -> Look:
    with_h100(root, driver=None)
    put(root, f"lib/modules/{KERNEL}/modules.dep", "updates/dkms/nvidia-current.ko.xz:\n")
    return look


def nouveau(root: Path, look: Look) -> Look:
    with_h100(root, driver="nouveau")
    return look


def no_node(root: Path, look: Look) -> Look:
    (with_h100(root) / "dev/nvidia-uvm").unlink()
    return look


def not_permitted(root: Path, look: Look) -> Look:
    (with_h100(root) / "dev/nvidia0").chmod(0o660)
    return look


def cgroup(root: Path, look: Look) -> Look:
    with_h100(root)
    return replace(look, opens=refuses(errno.EPERM, "nvidia0"))


def library(root: Path, look: Look) -> Look:
    with_h100(root)
    said = "libcuda.so.1: cannot open shared object file: No such file or directory"
    return replace(look, attempt=lambda: Attempt(said, missing=True))


def mismatch(root: Path, look: Look) -> Look:
    def ask() -> nvml.Answer:
        raise nvml.NvmlError("nvmlInit_v2: Driver/library version mismatch", nvml.VERSION_MISMATCH)

    with_h100(root)
    return replace(look, ask=ask, attempt=lambda: Attempt("cuInit: unknown error", 999))


def fabric(root: Path, look: Look) -> Look:
    with_h100(root)
    return replace(look, attempt=lambda: Attempt("cuInit: system not yet initialized", 802))


def wrong_sums(root: Path, look: Look) -> Look:
    with_h100(root)
    return replace(look, attempt=lambda: replace(RAN, problem="3 of 65536 numbers came back wrong"))


def of_the_host(root: Path, look: Look) -> Look:
    with_h100(root)
    (root / "proc/driver/nvidia/version").unlink()
    put(root, "run/systemd/container", "systemd-nspawn\n")
    return look


CAUSES = [
    (nouveau, "other driver", "`nouveau` holds it"),
    (no_module, "no module", f"no module of NVIDIA's driver for the kernel {KERNEL}"),
    (secure_boot, "secure boot", "Secure Boot keeps the kernel from loading it"),
    (not_loaded, "not loaded", "there but not loaded"),
    (no_node, "no device node", "/dev/nvidia-uvm is missing"),
    (not_permitted, "not permitted", "not everybody may open the device node /dev/nvidia0"),
    (cgroup, "cgroup", "the cgroup of this machine does not allow /dev/nvidia0"),
    (library, "library path", "libcuda.so.1: cannot open"),
    (mismatch, "version mismatch", "different versions"),
    (fabric, "not ready", "fabric"),
    (wrong_sums, "no kernel ran", "3 of 65536 numbers"),
    (of_the_host, "host", "the host's kernel has not loaded"),
]


@pytest.mark.parametrize(("broken", "cause", "text"), CAUSES, ids=[cause for _, cause, _ in CAUSES])
def test_each_cause_is_one_sentence_with_a_remedy(
    tmp_path: Path, broken: Callable[[Path, Look], Look], cause: str, text: str
) -> None:
    found = broken(tmp_path, looked(tmp_path)).nvidia()

    assert found.present
    assert not found.usable
    assert found.fault
    assert (found.fault.cause, text in found.fault.text) == (cause, True), found.fault
    assert found.fault.remedy
    chosen = choose(BOTH, "auto", found)
    assert chosen.variant == "cpu"
    assert chosen.problem == f"a GPU is there but unused: {found.fault.text}; {found.fault.remedy}"


def test_the_page_of_troubles_explains_each_cause() -> None:
    page = (Path(__file__).parents[3] / "docs/troubleshooting.md").read_text(encoding="utf-8")

    for cause in [cause for _, cause, _ in CAUSES] + ["driver too old", "GPU too old"]:
        assert f"`{cause}`" in page


def test_a_build_for_a_newer_cuda_than_the_driver_knows_is_not_used(tmp_path: Path) -> None:
    found = looked(with_h100(tmp_path)).nvidia()
    chosen = choose(BOTH, "auto", found, "13.0")

    assert chosen.variant == "cpu"
    assert chosen.problem
    assert "the driver knows CUDA 12.4 at most, and this build needs 13.0" in chosen.problem
    assert "580.65.06 or later" in chosen.problem
    assert choose(BOTH, "auto", found, "12.8").variant == "nvidia"
    assert choose(["cpu"], "auto", found, "13.0").problem is None


def test_a_gpu_that_a_cuda_no_longer_serves_is_not_used(tmp_path: Path) -> None:
    pascal = replace(RAN, capability="6.1", cuda="13.0")
    chosen = choose(BOTH, "auto", looked(with_h100(tmp_path), pascal).nvidia(), "13.0")

    assert chosen.variant == "cpu"
    assert chosen.problem
    assert "its compute capability is 6.1, and CUDA 13 needs 7.5" in chosen.problem


def test_a_machine_for_the_cpu_leaves_a_gpu_alone() -> None:
    assert choose(BOTH, "cpu", Nvidia(True)) == choose(BOTH, "cpu", Nvidia(False))
    assert choose(BOTH, "cpu", Nvidia(True)).problem is None


def test_nvidia_wanted_without_a_gpu_is_an_error() -> None:
    assert choose(BOTH, "nvidia", Nvidia(False)).problem


def test_without_a_gpu_an_environment_with_no_cpu_build_is_not_mounted() -> None:
    chosen = choose(["nvidia"], "auto", Nvidia(False))

    assert chosen.variant is None
    assert chosen.problem


def test_an_environment_with_one_build_is_no_failure_on_a_gpu_machine() -> None:
    assert choose(["cpu"], "auto", Nvidia(True)).problem is None


@pytest.mark.parametrize("given", [True, False])
def test_a_container_does_not_take_the_hosts_gpu_for_its_own(tmp_path: Path, given: bool) -> None:
    put(with_h100(tmp_path), "run/systemd/container", "systemd-nspawn\n")
    if not given:
        (tmp_path / "dev/nvidia0").unlink()
    found = looked(tmp_path).nvidia()

    assert found.present is given
    assert found.usable is given


def test_people_read_what_there_is_and_why_it_is_not_used(tmp_path: Path) -> None:
    said = dict(rows(mismatch(tmp_path, looked(tmp_path)).hardware().json()))

    assert said["threads"] == "2 in 1 core"
    assert said["GPU"] == "NVIDIA H100 80GB HBM3, driver `nvidia`, at 0000:01:00.0"
    assert said["not used"].startswith("the driver's libraries and its loaded module")


def test_people_read_that_it_is_used(tmp_path: Path) -> None:
    said = dict(rows(looked(with_h100(tmp_path)).hardware().json()))

    assert said["GPU"].startswith("NVIDIA H100 80GB HBM3, 80.0 GiB, compute capability 9.0")
    assert said["used"] == "driver 550.163.01, CUDA 12.4: a kernel ran on it"


def test_people_read_what_a_driver_of_its_own_is_kept_together_with(tmp_path: Path) -> None:
    there = with_h100(tmp_path)
    file = tmp_path / SET.relative_to("/")
    file.parent.mkdir(parents=True)
    kept = {"kernel": "6.12.1-cloud", "version": "550.163.01", "cuda": 12, "packages": {}}
    file.write_text(json.dumps(kept))

    said = dict(rows(looked(there).hardware().json()))

    assert said["kept together"] == (
        "NVIDIA's driver 550.163.01, kernel 6.12.1-cloud, CUDA up to 12"
    )
