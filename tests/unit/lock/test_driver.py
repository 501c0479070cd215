"""Kernel, module, libraries and CUDA are locked as one set, or not at all."""

from __future__ import annotations

import pytest

from dsvm.catalog.model import DriverModule
from dsvm.errors import DsvmError
from dsvm.lock.driver import Choosing, NotBuilt, Prove, Version, check_cuda, knows, members
from dsvm.lock.model import Lock, OsPackage, OsTree
from tests.unit.lock.examples import environment, example, wheel

OLD, NEW = "550.163.01-2", "550.163.01-4~bpo13+1"
MODULE = DriverModule(package="nvidia-open-kernel-dkms")
VERSIONS = [
    Version(MODULE, OLD, "debian/trixie"),
    Version(MODULE, NEW, "debian/trixie-backports"),
]
KERNEL = "6.12.118+deb13-cloud-amd64"


def deb(name: str, version: str) -> OsPackage:
    return OsPackage(
        name=name, version=version, architecture="amd64", sha256=f"{name} {version}", size=1,
        source="debian/trixie", path=name,
    )  # fmt: skip


def system(library: str, *kernels: str) -> OsTree:
    images = [deb(f"linux-image-{kernel}", "6.12.118-1") for kernel in kernels or (KERNEL,)]
    more = [deb("libcuda1", library), deb("linux-image-cloud-amd64", "6.12.118-1"), deb("jq", "1")]
    return OsTree(suite="trixie", roots=(), packages=(*images, *more))


def choosing(libraries: dict[str, str] | None = None) -> Choosing:
    def tree(version: Version, kernel: str) -> OsTree:
        packages = (deb("nvidia-open-kernel-dkms", version.version),)
        return OsTree(suite="trixie", roots=(f"linux-headers-{kernel}",), packages=packages)

    return Choosing(
        "libcuda1", VERSIONS, lambda v: system((libraries or {}).get(v.version, v.version)), tree
    )


def only(good: str) -> Prove:
    def prove(lock: Lock) -> None:
        assert lock.driver
        if lock.driver.tree.packages[0].version != good:
            raise NotBuilt(f"does not compile for {KERNEL}", cause="nv-pci.c:1: error: too few")

    return prove


def locked(*packages: str) -> Lock:
    wheels = [wheel(*one.split("==")) for one in packages]
    builds = (environment("deep", *wheels, variant="nvidia"),)
    return example(os=system(OLD), environments=builds)


def test_the_first_version_that_compiles_is_locked_with_the_reason() -> None:
    lock = choosing().first_that_works(locked(), only(NEW))

    assert lock.driver
    assert (lock.driver.kernel, lock.driver.version, lock.driver.cuda) == (
        KERNEL, "550.163.01", 12
    )  # fmt: skip
    assert lock.driver.why == (
        f"{MODULE.package} {NEW} of debian/trixie-backports compiles for {KERNEL}; "
        f"{MODULE.package} {OLD} of debian/trixie "
        f"does not compile for {KERNEL}: nv-pci.c:1: error: too few"
    )
    assert {"libcuda1": NEW, "jq": "1"}.items() <= {
        p.name: p.version for p in lock.os.packages
    }.items()
    assert members(lock) == {
        f"linux-image-{KERNEL}": "6.12.118-1",
        "linux-image-cloud-amd64": "6.12.118-1",
        "libcuda1": NEW,
    }


def test_where_none_compiles_nothing_is_locked_and_each_reason_told() -> None:
    with pytest.raises(DsvmError, match="no version of NVIDIA's driver works") as refused:
        choosing().first_that_works(locked(), only("none"))

    assert refused.value.cause
    assert refused.value.cause.count("too few") == 2
    assert "stays as it was" in str(refused.value.remedy)


def test_a_module_without_libraries_of_its_version_is_passed_over() -> None:
    lock = choosing({OLD: "535.1-1"}).first_that_works(locked(), None)

    assert lock.driver
    assert "libraries that go with it have the version 535.1" in lock.driver.why
    assert lock.driver.why.startswith(f"{MODULE.package} {NEW}")


def test_a_driver_too_old_for_an_environment_is_refused() -> None:
    wanted = locked("nvidia-cuda-runtime==13.0.96")
    with pytest.raises(DsvmError, match="too old for the environments") as refused:
        choosing().first_that_works(wanted, None)

    assert refused.value.cause == (
        "it knows CUDA 12 at most\n`deep` brings CUDA 13.0, which needs the driver 580.65.06"
    )
    assert "built for CUDA 12" in str(refused.value.remedy)


def test_a_newer_toolkit_of_the_same_major_version_is_served() -> None:
    lock = choosing().first_that_works(locked("nvidia-cuda-runtime-cu12==12.8.90"), None)
    check_cuda(lock)
    assert lock.driver


def test_two_kernels_are_refused() -> None:
    lock = example(os=system(OLD, KERNEL, "6.12.118+deb13-amd64"))
    with pytest.raises(DsvmError, match="the machine would have 2"):
        choosing().first_that_works(lock, None)


@pytest.mark.parametrize(
    ("driver", "cuda"), [("390.1", 0), ("470.256.02", 11), ("550.163.01", 12), ("580.65.06", 13)]
)
def test_what_cuda_a_driver_knows(driver: str, cuda: int) -> None:
    assert knows(driver) == cuda
