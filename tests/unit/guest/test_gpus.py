"""Which GPUs there are, and what is known of each."""

from __future__ import annotations

from pathlib import Path

from dsvm.guest.gpus import gpus
from dsvm.guest.nvml import Answer, Slice, Told
from tests.unit.guest.computers import H100, device, plain, put, with_h100

NAMES = """\
# List of PCI IDs
1002  Advanced Micro Devices, Inc. [AMD/ATI]
	744c  Navi 31 [Radeon RX 7900 XT/7900 XTX]
		1002 0e3b  RX 7900 GRE
8086  Intel Corporation
	56a0  DG2 [Arc A770]
"""


def told(mig: bool = False) -> Answer:
    slices = (Slice("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 10 * 1024**3),) if mig else ()
    gpu = Told("NVIDIA H100 80GB HBM3", H100, 80 * 1024**3, "9.0", mig, slices)
    return Answer("550.163.01", "12.4", (gpu,))


def test_a_computer_without_one_has_none(tmp_path: Path) -> None:
    device(plain(tmp_path), "0000:00:01.0", "1234", "1111", "030000", "bochs-drm")
    device(tmp_path, "0000:00:02.0", "10de", "10f8", "040300")

    assert gpus(tmp_path) == ()


def test_nvidias_is_known_by_its_driver_and_nvml(tmp_path: Path) -> None:
    (found,) = gpus(with_h100(tmp_path), told())

    assert (found.vendor, found.name) == ("NVIDIA", "NVIDIA H100 80GB HBM3")
    assert (found.memory, found.capability) == (80 * 1024**3, "9.0")
    assert (found.module, found.node) == ("nvidia", "/dev/nvidia0")
    assert found.mig is False


def test_a_divided_gpu_tells_its_parts(tmp_path: Path) -> None:
    (found,) = gpus(with_h100(tmp_path), told(mig=True))

    assert found.mig
    assert [part.memory for part in found.slices] == [10 * 1024**3]


def test_without_nvml_the_drivers_own_files_name_it(tmp_path: Path) -> None:
    (found,) = gpus(with_h100(tmp_path))

    assert found.name == "NVIDIA H100 80GB HBM3"
    assert found.memory is None


def test_amds_and_intels_are_named_by_the_list_of_pci_devices(tmp_path: Path) -> None:
    put(plain(tmp_path), "usr/share/misc/pci.ids", NAMES)
    amd = device(tmp_path, "0000:03:00.0", "1002", "744c", "030000", "amdgpu")
    put(amd, "mem_info_vram_total", "25753026560\n")
    put(amd, "drm/renderD129/dev", "226:129\n")
    device(tmp_path, "0000:04:00.0", "8086", "56a0", "030000", "i915")

    radeon, arc = gpus(tmp_path)

    assert (radeon.vendor, radeon.name) == ("AMD", "Navi 31 [Radeon RX 7900 XT/7900 XTX]")
    assert (radeon.memory, radeon.node) == (25753026560, "/dev/dri/renderD129")
    assert (arc.vendor, arc.name, arc.module) == ("Intel", "DG2 [Arc A770]", "i915")


def test_one_that_nobody_names_has_its_numbers(tmp_path: Path) -> None:
    device(plain(tmp_path), "0000:03:00.0", "1002", "74a1", "120000", "amdgpu")

    assert gpus(tmp_path)[0].name == "AMD GPU 1002:74a1"


def test_one_that_only_the_driver_tells_of_counts(tmp_path: Path) -> None:
    (found,) = gpus(plain(tmp_path), told())

    assert (found.vendor, found.address, found.capability) == ("NVIDIA", H100, "9.0")
    assert found.node is found.module is None
