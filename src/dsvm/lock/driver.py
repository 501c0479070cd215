"""NVIDIA's driver as one set: kernel, module, libraries, and the CUDA of the environments.

Whether a module compiles for a kernel is known once it has been compiled, so a lock is made of the
first version of the driver that did, and a lock that no version serves is not made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dsvm.catalog.model import DriverModule
from dsvm.errors import DsvmError
from dsvm.guest.gpu_faults import CUDA
from dsvm.lock.debversion import compare
from dsvm.lock.model import Lock, LockedDriver, OsTree
from dsvm.lock.toolkit import cuda_of

Prove = Callable[[Lock], None]
"""Compiles the module of a lock's driver for its kernel. Raises `NotBuilt`."""

_KERNEL = re.compile(r"linux-image-(\d.*)")
_STAYS = "a lock that was there stays as it was"


class NotBuilt(DsvmError):
    """The source of a driver's module does not compile for the kernel."""


@dataclass(frozen=True)
class Version:
    """One version of a module's package; `source` as in `debian/trixie-backports`."""

    module: DriverModule
    version: str
    source: str

    def __str__(self) -> str:
        return f"{self.module.package} {self.version} of {self.source}"


@dataclass(frozen=True)
class Choosing:
    """What a set is made of: `os` are the machine's packages, `tree` what compiles the module
    (told the kernel's release), both with the driver in that version. `library`: whose version is
    the driver's."""

    library: str
    versions: Sequence[Version]
    os: Callable[[Version], OsTree]
    tree: Callable[[Version, str], OsTree]

    def first_that_works(self, lock: Lock, prove: Prove | None) -> Lock:
        """The lock with the first set that goes together and is proven.

        Without `prove` it is the first that goes together, and the build tells whether it works.
        Raises `DsvmError` with every version's reason when none does.
        """
        reasons: list[str] = []
        kernel = kernel_of(lock.os)
        for version in self.versions:
            try:
                return self._proven(lock, version, reasons, prove)
            except NotBuilt as failed:
                reasons.append(f"{version} {failed.what}: {failed.cause}")
        raise DsvmError(
            f"no version of NVIDIA's driver works with the kernel {kernel}",
            cause="\n".join(reasons) or "no source has its module",
            remedy=f"{_STAYS}; `dsvm lock --upgrade TOOL...` moves tools without the kernel",
        )

    def _proven(
        self, lock: Lock, version: Version, reasons: list[str], prove: Prove | None
    ) -> Lock:
        os = self.os(version)
        kernel = kernel_of(os)
        driver = LockedDriver(
            kernel=kernel,
            version=_upstream(_version_in(os, self.library)),
            cuda=knows(_upstream(version.version)),
            module=version.module.package,
            tree=self.tree(version, kernel),
            why="; ".join([f"{version} compiles for {kernel}", *reasons]),
        )
        _go_together(driver, version)
        found = lock.model_copy(update={"os": os, "driver": driver})
        check_cuda(found)
        if prove:
            prove(found)
        return found


def kernel_of(os: OsTree) -> str:
    """The release of the one kernel of these packages. Raises `DsvmError` unless there is one."""
    found = [m[1] for package in os.packages if (m := _KERNEL.fullmatch(package.name))]
    if len(found) == 1:
        return found[0]
    raise DsvmError(
        f"the driver is made for one kernel, and the machine would have {len(found)}",
        cause=", ".join(found) or None,
        remedy="leave kernels out of `packages`, or `driver` out of [accelerator]",
    )


def knows(driver: str) -> int:
    """The newest major version of CUDA that a driver of this version knows; 0: none of these."""
    return max(
        (major for major, (least, _) in CUDA.items() if compare(driver, least) >= 0), default=0
    )


def check_cuda(lock: Lock) -> None:
    """Raises `DsvmError` when an environment's build for NVIDIA needs a newer driver."""
    driver = lock.driver
    wanted = {
        one.name: cuda_of(one.packages) for one in lock.environments if one.variant == "nvidia"
    }
    beyond = {
        name: cuda
        for name, cuda in wanted.items()
        if driver and cuda and int(cuda.split(".")[0]) > driver.cuda
    }
    if not driver or not beyond:
        return
    said = [f"`{name}` brings CUDA {cuda}, {_needs(cuda)}" for name, cuda in beyond.items() if cuda]
    raise DsvmError(
        f"the driver {driver.version} is too old for the environments of this machine",
        cause="\n".join([f"it knows CUDA {driver.cuda} at most", *said]),
        remedy=f"ask there for versions built for CUDA {driver.cuda}, or for the CPU alone: "
        f'`[accelerator] variants = ["cpu"]`; {_STAYS}',
    )


def members(lock: Lock) -> dict[str, str]:
    """The OS packages that may only move together: the kernel's and the driver's, by version."""
    driver = lock.driver
    return {
        package.name: package.version
        for package in lock.os.packages
        if driver
        and (
            package.name.startswith("linux-image-") or _upstream(package.version) == driver.version
        )
    }


def _needs(cuda: str) -> str:
    least, _ = CUDA.get(int(cuda.split(".")[0]), (None, None))
    return f"which needs the driver {least}" if least else "which no driver that dsvm knows serves"


def _go_together(driver: LockedDriver, version: Version) -> None:
    found = _version_in(driver.tree, driver.module)
    if found != version.version:
        raise NotBuilt("does not go together", cause=f"apt takes {driver.module} {found} instead")
    if driver.version != _upstream(version.version):
        libraries = f"the libraries that go with it have the version {driver.version}"
        raise NotBuilt("does not go together", cause=libraries)


def _version_in(tree: OsTree, name: str) -> str:
    return next((one.version for one in tree.packages if one.name == name), "none")


def _upstream(version: str) -> str:
    """`550.163.01` of `1:550.163.01-4~bpo13+1`."""
    return version.rpartition(":")[2].rpartition("-")[0] or version


def in_order(found: Iterable[Version], first: tuple[str, str] | None) -> list[Version]:
    """`first` (package and version) before the others, which keep their order."""
    return sorted(found, key=lambda one: (one.module.package, one.version) != first)
