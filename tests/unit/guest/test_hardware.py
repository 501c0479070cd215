"""Which variant of an environment is mounted."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.guest import hardware
from dsvm.guest.environments import choose
from dsvm.guest.hardware import Gpu

BOTH = ["cpu", "nvidia"]


def test_a_working_gpu_takes_the_nvidia_build() -> None:
    assert choose(BOTH, "auto", Gpu(True)).variant == "nvidia"


def test_a_gpu_without_a_driver_is_told_and_never_silently_passed_over() -> None:
    chosen = choose(BOTH, "auto", Gpu(True, "the NVIDIA driver is not loaded"))

    assert chosen.variant == "cpu"
    assert chosen.problem == "a GPU is there but unused: the NVIDIA driver is not loaded"


def test_a_machine_for_the_cpu_leaves_a_gpu_alone() -> None:
    assert choose(BOTH, "cpu", Gpu(True)) == choose(BOTH, "cpu", Gpu(False))
    assert choose(BOTH, "cpu", Gpu(True)).problem is None


def test_nvidia_wanted_without_a_gpu_is_an_error() -> None:
    assert choose(BOTH, "nvidia", Gpu(False)).problem


def test_without_a_gpu_an_environment_with_no_cpu_build_is_not_mounted() -> None:
    chosen = choose(["nvidia"], "auto", Gpu(False))

    assert chosen.variant is None
    assert chosen.problem


def test_an_environment_with_one_build_is_no_failure_on_a_gpu_machine() -> None:
    assert choose(["cpu"], "auto", Gpu(True)).problem is None


@pytest.mark.parametrize(
    ("container", "present"), [(False, True), (True, False)], ids=["whole machine", "container"]
)
def test_a_container_does_not_take_the_hosts_gpu_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: bool, present: bool
) -> None:
    device = tmp_path / "pci" / "0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x10de\n")
    (device / "class").write_text("0x030200\n")
    mark = tmp_path / "container"
    if container:
        mark.touch()
    monkeypatch.setattr(hardware, "CONTAINER_MARK", mark)

    found = hardware.nvidia(pci=tmp_path / "pci", proc=tmp_path, dev=tmp_path)

    assert found.present is present
    assert not found.usable
