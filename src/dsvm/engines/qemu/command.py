"""QEMU's command line for a machine. See qemu(1), versions 7.2 and later.

NVMe        the machine's disk: its driver is built into the kernel, so no initramfs is needed
SCSI        seed and layers, read-only, found by their serial numbers; any number of them,
            also while the machine runs
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from dsvm.engines.base import AttachedLayer, EngineMachine
from dsvm.engines.qemu import seed_disk
from dsvm.engines.qemu.accelerator import Accelerator
from dsvm.engines.qemu.firmware import Firmware
from dsvm.engines.qemu.places import Places

PROGRAM = "qemu-system-x86_64"
MIB = 1 << 20
SERIAL_DIGITS = 20
"""So much of a layer's digest the guest asks for: see `dsvm.guest.layers`."""
# What a QEMU that was taken over from inside may not do: start programs, change its user.
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
DISK_NODE = "disk"
SEED_NODE = "seed"


def machine_argv(
    machine: EngineMachine, accelerator: Accelerator, firmware: Firmware, network: list[str]
) -> list[str]:
    """Boots the machine; to be run in its engine's folder, where the sockets are made."""
    places = Places(machine.folder)
    argv = [
        *(PROGRAM, "-name", machine.name, "-nodefaults", "-no-user-config", "-sandbox", SANDBOX),
        *("-machine", "q35,pflash0=code,pflash1=vars"),
        *accelerator.argv,
        *("-smp", str(machine.size.cpus), "-m", f"{machine.size.memory // MIB}M"),
        *("-pidfile", places.pid.name),
        *("-chardev", f"socket,id=qmp,path={places.qmp.name},server=on,wait=off"),
        *("-mon", "chardev=qmp,mode=control"),
        # A socket of the owner's: nothing listens on a port, so there is no password to guess.
        *("-display", "none", "-device", "VGA", "-vnc", f"unix:{places.vnc.name}"),
        *("-chardev", f"file,id=console,path={_escaped(places.console)},append=on"),
        *("-serial", "chardev:console"),
        *("-device", "virtio-rng-pci"),
        *network,
        *("-device", "virtio-net-pci,netdev=net,romfile="),
        *("-blockdev", json.dumps(_flash("code", firmware.code, read_only=True))),
        *("-blockdev", json.dumps(_flash("vars", places.vars, read_only=False))),
        *("-blockdev", json.dumps(_disk(machine.disk))),
        *("-device", f"nvme,drive={DISK_NODE},serial=dsvm-disk,bootindex=0"),
        *("-device", "virtio-scsi-pci,id=scsi"),
    ]
    shown = [(read_only_node(SEED_NODE, places.seed), disk_device(SEED_NODE, seed_disk.SERIAL))]
    shown += [(layer_node(layer), layer_device(layer)) for layer in machine.layers]
    for node, device in shown:
        argv += ["-blockdev", json.dumps(node), "-device", json.dumps(device)]
    return argv


def passt_network(descriptor: int) -> list[str]:
    return ["-netdev", f"stream,id=net,server=off,addr.type=fd,addr.str={descriptor}"]


def user_network(ports: Mapping[int, int]) -> list[str]:
    """QEMU's own, where there is no passt. It leads to the host's loopback by 10.0.2.2."""
    forwards = [f"hostfwd=tcp:127.0.0.1:{there}-:{here}" for here, there in sorted(ports.items())]
    return ["-netdev", ",".join(["user", "id=net", *forwards])]


def layer_node(layer: AttachedLayer) -> dict[str, object]:
    return read_only_node(_name(layer), layer.path)


def layer_device(layer: AttachedLayer) -> dict[str, object]:
    return disk_device(_name(layer), layer.digest[:SERIAL_DIGITS])


def read_only_node(name: str, file: Path) -> dict[str, object]:
    source = {"driver": "file", "filename": str(file)}
    return {"driver": "raw", "node-name": name, "read-only": True, "file": source}


def disk_device(node: str, serial: str) -> dict[str, object]:
    return {"driver": "scsi-hd", "bus": "scsi.0", "id": node, "drive": node, "serial": serial}


def _disk(disk: Path) -> dict[str, object]:
    # Locked: QEMU, its tools and the storage daemon refuse a disk that another one has open.
    source = {"driver": "file", "filename": str(disk), "locking": "on", "discard": "unmap"}
    options = {"discard": "unmap", "detect-zeroes": "unmap"}
    return {"driver": "qcow2", "node-name": DISK_NODE, "file": source, **options}


def _flash(name: str, file: Path, *, read_only: bool) -> dict[str, object]:
    source = {"driver": "file", "filename": str(file)}
    return {"driver": "raw", "node-name": name, "read-only": read_only, "file": source}


def _name(layer: AttachedLayer) -> str:
    """Names of nodes begin with a letter and end at 31 characters."""
    return f"layer-{layer.digest[:SERIAL_DIGITS]}"


def _escaped(path: Path) -> str:
    # QEMU's option syntax: a comma is doubled.
    return str(path).replace(",", ",,")
