"""That the driver's module in an image is there for the kernel that the image boots."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dsvm.errors import DsvmError

# Debian calls the module of its package otherwise than its maker.
MAIN = re.compile(r"nvidia(-current)?(-open)?\.ko")
_PLACE = re.compile(rf"(?:usr/)?lib/modules/([^/]+)/(?:.*/)?{MAIN.pattern}")
_LIBRARY = re.compile(r".*/libcuda\.so\.(\d+\.[\d.]+)")


@dataclass
class Driver:
    """What of the driver lies in an OS tree: modules by their kernel, versions of the library."""

    modules: dict[str, bytes] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)

    def kernel_of(self, path: str) -> str | None:
        """The kernel that a file is the driver's module for; a library's version is noted."""
        if library := _LIBRARY.fullmatch(path):
            self.libraries.add(library[1])
        module = _PLACE.fullmatch(path)
        return module[1] if module else None

    def prove(self, kernel: str) -> None:
        """An image without the driver's library needs no module. Raises `DsvmError`."""
        for version in sorted(self.libraries):
            if kernel not in self.modules:
                others = ", ".join(sorted(self.modules)) or "none"
                raise DsvmError(
                    f"the image has NVIDIA's driver and no module of it for the kernel {kernel}",
                    cause=f"there are modules for: {others}",
                    remedy="`dsvm lock --upgrade` looks for a driver and a kernel that go together",
                )
            prove(kernel, self.modules[kernel], version)


def prove(kernel: str, module: bytes, version: str) -> None:
    """Whether that is the module of this version for this kernel, by its own words.

    Raises `DsvmError` with what it says instead.
    """
    said = _info(module)
    magic = said.get("vermagic", "").partition(" ")[0]
    for what, found, wanted in (
        ("kernel", magic, kernel),
        ("version", said.get("version"), version),
    ):
        if found != wanted:
            raise DsvmError(
                f"the driver's module is not that for the kernel {kernel}, version {version}",
                cause=f"it says of its {what}: {found or 'nothing'}",
            )


def _info(module: bytes) -> Mapping[str, str]:
    """The strings of the section .modinfo (modinfo(8)): `name=value`, each with a NUL behind."""
    pattern = rb"(?<=\0)(vermagic|version)=([^\0]*)\0"
    return {
        name.decode(): value.decode("utf-8", "replace")
        for name, value in re.findall(pattern, module)
    }
