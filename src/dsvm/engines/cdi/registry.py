"""The CDI files of a host, and what a container is given for the names of devices in them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dsvm.engines.cdi import nvidia
from dsvm.engines.cdi.edits import collect
from dsvm.engines.cdi.given import Given
from dsvm.engines.cdi.model import Device, Spec, Unreadable, read
from dsvm.errors import DsvmError
from dsvm.guest.gpus import nvidia_information

# In the specification's order: what a later folder says of a device counts.
FOLDERS = ("etc/cdi", "var/run/cdi")
SUFFIXES = (".json", ".yaml")


@dataclass(frozen=True)
class Found:
    """A device and the file that has it; None: dsvm's own."""

    spec: Spec
    device: Device
    file: Path | None

    @property
    def name(self) -> str:
        return f"{self.spec.kind}={self.device.name}"


@dataclass
class Registry:
    """`conflicts`: names that two files of one folder have, so neither counts. `faults`: files
    that cannot be read, and why."""

    root: Path
    devices: dict[str, Found] = field(default_factory=dict)
    conflicts: dict[str, tuple[Path, Path]] = field(default_factory=dict)
    faults: dict[Path, str] = field(default_factory=dict)

    def find(self, name: str) -> Found:
        """The device of this name: CDI's, or the PCI address of a GPU of NVIDIA.

        Raises `DsvmError`.
        """
        if "=" not in name:
            return self._at(name)
        if not name.startswith(f"{nvidia.KIND}=") or self._has_kind(nvidia.KIND):
            return self._listed(name)
        for found in _own(self.root):
            if found.name == name:
                return found
        raise self._unknown(name, [found.name for found in _own(self.root)])

    def _listed(self, name: str) -> Found:
        if name in self.devices:
            return self.devices[name]
        if name in self.conflicts:
            one, other = self.conflicts[name]
            raise DsvmError(
                f"the device `{name}` is told twice",
                cause=f"{one} and {other} both have it, so neither counts",
                remedy="take it out of one of them",
            )
        raise self._unknown(name, list(self.devices))

    def _has_kind(self, kind: str) -> bool:
        return any(name.startswith(f"{kind}=") for name in (*self.devices, *self.conflicts))

    def _at(self, address: str) -> Found:
        minor = nvidia_information(self.root, address).get("Device Minor")
        if minor is None:
            raise DsvmError(
                f"the device {address} cannot be given to a container",
                cause="NVIDIA's driver of this host does not hold it",
                remedy="name a device of a CDI file, as `vendor.com/class=name`",
            )
        node = f"/dev/nvidia{minor}"
        listed = list(self.devices.values()) if self._has_kind(nvidia.KIND) else _own(self.root)
        for found in listed:
            edits = found.device.container_edits
            paths = [one.path for one in edits.device_nodes]
            gpus = [path for path in paths if path.removeprefix("/dev/nvidia").isdigit()]
            if found.spec.kind == nvidia.KIND and gpus == [node]:
                return found
        raise DsvmError(
            f"the device {address} cannot be given to a container",
            cause=f"no CDI file has a device with {node} alone",
            remedy=f"`{nvidia.REFRESH}`",
        )

    def _unknown(self, name: str, names: list[str]) -> DsvmError:
        kind = name.partition("=")[0]
        near = difflib.get_close_matches(name, names, 1)
        listed = [one for one in names if one.startswith(f"{kind}=")] or names
        cause = f"there are: {', '.join(sorted(listed))}" if names else "no CDI file has a device"
        said = [f"{file} is not read: {why}" for file, why in self.faults.items()]
        return DsvmError(
            f"this host has no device `{name}`",
            cause="\n".join([cause, *said]),
            remedy=f"did you mean `{near[0]}`?"
            if near
            else "its maker's tool writes such a file into /etc/cdi",
        )


def registry(root: Path = Path("/")) -> Registry:
    """What the files in /etc/cdi and /var/run/cdi say."""
    known = Registry(root)
    for folder in FOLDERS:
        here: dict[str, Found] = {}
        twice: dict[str, tuple[Path, Path]] = {}
        for found in _folder(root / folder, known.faults):
            if (first := here.get(found.name)) and first.file and found.file:
                twice[found.name] = (first.file, found.file)
            here[found.name] = found
        for name, found in here.items():
            known.devices.pop(name, None)
            known.conflicts.pop(name, None)
            if name in twice:
                known.conflicts[name] = twice[name]
            else:
                known.devices[name] = found
    return known


def give(names: tuple[str, ...], root: Path = Path("/")) -> Given:
    """What a container gets for these devices. Raises `DsvmError` that says why it cannot."""
    known = registry(root)
    return collect([known.find(name) for name in names], root)


def _folder(folder: Path, faults: dict[Path, str]) -> Iterator[Found]:
    for file in sorted(folder.glob("*")):
        if file.suffix not in SUFFIXES or not file.is_file():
            continue
        try:
            spec = read(file)
        except Unreadable as wrong:
            faults[file] = str(wrong)
            continue
        yield from (Found(spec, device, file) for device in spec.devices)


def _own(root: Path) -> list[Found]:
    spec = nvidia.generate(root)
    return [Found(spec, device, None) for device in spec.devices]
