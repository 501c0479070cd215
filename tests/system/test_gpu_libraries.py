"""NVIDIA's two libraries as the guest calls them, by real C functions of their names.

They stand in for a GPU in tests alone: what they answer is never counted as proof of one. Apart
from unit tests, since a compiler is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dsvm.guest import cuda, nvml

DATA = Path(__file__).parents[1] / "data" / "gpu"


def compiler(name: str) -> str:
    """A compiler of C, installed if it is not there."""
    if not shutil.which(name):
        install = ["apt-get", "install", "-y", "--no-install-recommends", name, "libc6-dev"]
        subprocess.run(install, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    return name


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("libraries")
    for name in ("cuda", "nvml"):
        target = folder / f"{name}.so"
        subprocess.run([compiler("tcc"), "-shared", "-o", target, DATA / f"{name}.c"], check=True)
    return folder


def attempt(libraries: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> cuda.Attempt:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return cuda.attempt(str(libraries / "cuda.so"))


def test_a_kernel_that_ran_is_told_with_its_capability(
    libraries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = attempt(libraries, monkeypatch)

    assert found == cuda.Attempt(capability="9.0", cuda="12.4")


@pytest.mark.parametrize(
    ("environment", "problem", "status"),
    [
        ({"NONE": "1"}, "the driver counts no GPU", None),
        ({"FAIL": "cuInit", "STATUS": "803"}, "cuInit: system has unsupported display", 803),
        ({"FAIL": "cuCtxSynchronize", "STATUS": "700"}, "cuCtxSynchronize: unknown error", 700),
        ({"WRONG": "4"}, "3 of 65536 numbers came back wrong", None),
        ({"CRASH": "1"}, "the program that tried the driver ended: status -6", None),
    ],
    ids=["none", "version", "kernel", "sums", "crash"],
)
def test_what_goes_wrong_is_told_in_the_drivers_words(
    libraries: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    problem: str,
    status: int | None,
) -> None:
    found = attempt(libraries, monkeypatch, **environment)

    assert found.problem
    assert found.problem.startswith(problem)
    assert found.status == status


def test_a_library_that_is_not_there_is_told_as_missing() -> None:
    found = cuda.attempt("libcuda-of-nobody.so.1")

    assert found.missing
    assert "libcuda-of-nobody.so.1" in str(found.problem)


def test_every_gpu_is_told_by_the_library(libraries: Path) -> None:
    found = nvml.ask(str(libraries / "nvml.so"))

    assert (found.driver, found.cuda) == ("550.163.01", "12.4")
    assert [(one.name, one.address, one.capability, one.mig) for one in found.gpus] == [
        ("NVIDIA H100 80GB HBM3", "0000:01:00.0", "9.0", False),
        ("NVIDIA GeForce RTX 4090", "0000:a1:00.0", "8.9", None),
    ]


def test_the_parts_of_a_divided_gpu_are_told(
    libraries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIG", "1")
    first, second = nvml.ask(str(libraries / "nvml.so")).gpus

    assert first.mig
    assert first.slices == (nvml.Slice("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 10200547328),)
    assert second.slices == ()


def test_what_is_used_of_all_gpus_is_told(libraries: Path) -> None:
    with nvml.watched(str(libraries / "nvml.so")) as read:
        used = read()

    assert used.memory == 4 << 20
    assert used.busy == pytest.approx(0.6)


def test_a_library_of_another_version_than_the_module_says_so(
    libraries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATUS", "18")
    with pytest.raises(nvml.NvmlError, match="version mismatch") as refused:
        nvml.ask(str(libraries / "nvml.so"))

    assert refused.value.status == nvml.VERSION_MISMATCH
