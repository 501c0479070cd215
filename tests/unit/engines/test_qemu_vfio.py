"""A PCI device reaches a virtual machine only if all that VFIO needs is so: on hosts of files."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dsvm.engines.base import EngineMachine, Size, Unusable
from dsvm.engines.qemu.vfio import Host
from dsvm.errors import DsvmError
from tests.unit.guest.computers import H100, device, put, with_h100

GIB = 1 << 30
AUDIO, BRIDGE = "0000:01:00.1", "0000:00:01.0"


def fine(_: Path) -> int:
    return 0


def answers(status: int) -> Callable[[Path], int]:
    return lambda _: status


def in_group(root: Path, number: int, *addresses: str) -> None:
    group = root / f"sys/kernel/iommu_groups/{number}"
    (group / "devices").mkdir(parents=True)
    for address in addresses:
        there = root / "sys/bus/pci/devices" / address
        (there / "iommu_group").symlink_to(group)
        (group / "devices" / address).symlink_to(there)


def held_by(root: Path, address: str, driver: str) -> None:
    link = root / "sys/bus/pci/devices" / address / "driver"
    link.unlink()
    place = root / "sys/bus/pci/drivers" / driver
    place.mkdir(parents=True, exist_ok=True)
    link.symlink_to(place)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with a GPU for VFIO, its sound and the bridge above it in one group."""
    with_h100(tmp_path, driver="vfio-pci")
    device(tmp_path, AUDIO, "10de", "22ba", "040300", "vfio-pci")
    device(tmp_path, BRIDGE, "8086", "1901", "060400", "pcieport")
    in_group(tmp_path, 7, H100, AUDIO, BRIDGE)
    return tmp_path


@pytest.fixture
def host(root: Path) -> Host:
    return Host(root, fine, lambda: None)


def machine(devices: tuple[str, ...] | None, size: Size | None = None) -> EngineMachine:
    return EngineMachine(
        name="lab",
        folder=Path("/lab"),
        disk=Path("/lab/disk"),
        root_offset=0,
        size=size or Size(2, 4 * GIB, 8 * GIB),
        seed=Path("/lab/seed"),
        layers=(),
        ports={22: 2201},
        devices=devices,
    )


def refusal(host: Host, name: str = H100) -> Unusable:
    found = host.refused(name, 4 * GIB)
    assert found
    assert found.remedy
    with pytest.raises(DsvmError) as raised:
        host.wanted(machine((name,)))
    assert raised.value.cause == found.reason
    return found


def test_a_gpu_that_all_is_ready_for_is_given(host: Host) -> None:
    assert host.refused(H100, 64 * GIB) is None
    assert host.wanted(machine((H100,))) == ((H100,), ())
    assert host.wanted(machine(None)) == ((H100,), ())
    assert host.gives(()) is None
    assert host.gives((H100,)) is None


def test_a_machine_that_wants_none_gets_none(host: Host) -> None:
    assert host.wanted(machine(())) == ((), ())
    assert host.wanted(machine(None, Size(1, GIB, GIB, "cpu"))) == ((), ())
    assert host.argv(()) == []


def test_without_an_iommu_the_firmware_and_the_kernel_are_named(host: Host) -> None:
    (host.root / "sys/bus/pci/devices" / H100 / "iommu_group").unlink()

    found = refusal(host)

    assert found.reason == f"{H100} is in no IOMMU group: the IOMMU is off"
    assert "intel_iommu=on" in (found.remedy or "")


def test_a_gpu_that_the_hosts_driver_holds_is_left_to_it(host: Host) -> None:
    held_by(host.root, H100, "nvidia")

    found = refusal(host)

    assert found.reason == f"{H100}: the host's driver `nvidia` holds it, not vfio-pci"
    assert f"`driverctl set-override {H100} vfio-pci`" in (found.remedy or "")
    given, notes = host.wanted(machine(None))
    assert given == ()
    assert notes == (f"the GPU is not given to the machine: {found.reason}; {found.remedy}",)


def test_a_gpu_without_any_driver_is_not_ready_either(host: Host) -> None:
    (host.root / "sys/bus/pci/devices" / H100 / "driver").unlink()

    assert "no driver holds it, not vfio-pci" in refusal(host).reason


def test_another_device_of_the_group_must_be_nobody_elses(host: Host) -> None:
    held_by(host.root, AUDIO, "snd_hda_intel")

    found = refusal(host)

    assert found.reason == (
        f"{AUDIO} is in the IOMMU group of {H100}, and the host's driver `snd_hda_intel` holds it"
    )
    assert AUDIO in (found.remedy or "")

    (host.root / "sys/bus/pci/devices" / AUDIO / "driver").unlink()
    assert host.refused(H100) is None  # the kernel demands no more


@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [
        (errno.ENOENT, "/dev/vfio/7 is missing", "modprobe vfio-pci"),
        (errno.EBUSY, f"another machine has {H100}", "stop it"),
        (errno.EACCES, "/dev/vfio/7 is not yours to open", "sudo chown $USER /dev/vfio/7"),
    ],
)
def test_the_node_of_the_group_must_open(host: Host, status: int, reason: str, remedy: str) -> None:
    found = refusal(replace(host, opens=answers(status)))

    assert found.reason == reason
    assert remedy in (found.remedy or "")


def test_a_node_that_is_not_there_is_found_missing_by_opening_it(root: Path) -> None:
    assert refusal(Host(root, locked=lambda: None)).reason == "/dev/vfio/7 is missing"


def test_an_ordinary_user_must_be_allowed_to_lock_the_memory(host: Host) -> None:
    small = replace(host, locked=lambda: 8 << 20)

    found = refusal(small)

    assert "5120 MiB with what it maps, and you may lock 8 MiB" in found.reason
    assert f"memlock {5 * GIB // 1024}" in (found.remedy or "")
    assert replace(host, locked=lambda: 5 * GIB).refused(H100, 4 * GIB) is None


def test_names_that_are_no_pci_device_here_are_refused(host: Host) -> None:
    assert "a virtual machine takes PCI devices" in refusal(host, "nvidia.com/gpu=0").reason
    assert refusal(host, "0000:99:00.0").reason == "there is no PCI device 0000:99:00.0"


def test_a_host_without_a_gpu_has_none_to_give(tmp_path: Path) -> None:
    host = Host(tmp_path, fine, lambda: None)

    assert host.gives(()) == Unusable("this host has no GPU of NVIDIA")
    assert host.wanted(machine(None)) == ((), ())


def test_a_device_is_behind_a_port_and_its_registers_fit_the_window(host: Host) -> None:
    assert host.argv((H100, AUDIO)) == [
        *("-fw_cfg", "name=opt/ovmf/X-PciMmio64Mb,string=65536"),
        *("-device", "pcie-root-port,id=given0,chassis=1,slot=1"),
        *("-device", f"vfio-pci,host={H100},bus=given0"),
        *("-device", "pcie-root-port,id=given1,chassis=2,slot=2"),
        *("-device", f"vfio-pci,host={AUDIO},bus=given1"),
    ]
    # 16 MiB and 128 GiB of memory, and an I/O port, as sysfs has them.
    lines = "0xf0000000 0xf0ffffff 0x40200\n0x4000000000 0x5fffffffff 0x14220c\n0x0 0x7f 0x40101\n"
    put(host.root, f"sys/bus/pci/devices/{H100}/resource", lines)

    assert host.argv((H100,))[1] == "name=opt/ovmf/X-PciMmio64Mb,string=524288"
