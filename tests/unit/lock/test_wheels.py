"""Which wheel of a package is taken, and which Python a machine can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.errors import DsvmError
from dsvm.lock.trees import architecture, target_for
from dsvm.lock.wheels import Target, read_pylock

DEBIAN_13 = Target((3, 13), (2, 41), "amd64")
CP313, M28, M41 = "cp313-cp313", "manylinux_2_28_x86_64.whl", "manylinux_2_41_x86_64.whl"
DEBIAN_12 = Target((3, 11), (2, 36), "amd64")


def pylock(folder: Path, *files: str) -> Path:
    wheels = ", ".join(
        f'{{url = "https://i/{file}", size = {n}, hashes = {{sha256 = "{n}"}}}}'
        for n, file in enumerate(files, 1)
    )
    path = folder / "pylock.toml"
    path.write_text(f'[[packages]]\nname = "x"\nversion = "1"\nwheels = [{wheels}]\n')
    return path


@pytest.mark.parametrize(
    ("target", "files", "best"),
    [
        (DEBIAN_13, ["x-1-py3-none-any.whl", "x-1-cp313-cp313-manylinux_2_28_x86_64.whl"], 1),
        (DEBIAN_13, [f"x-1-cp313-cp313-{M28}", f"x-1-cp312-abi3-{M28}"], 0),
        (DEBIAN_13, [f"x-1-{CP313}-manylinux2014_x86_64.whl", f"x-1-{CP313}-{M41}"], 1),
        (DEBIAN_12, [f"x-1-cp311-abi3-{M41}", f"x-1-cp311-abi3-{M28}"], 1),
        (DEBIAN_12, ["x-1-cp311-cp311-linux_x86_64.whl"], 0),
        (DEBIAN_13, ["x-1-cp313-cp313-manylinux_2_28_aarch64.whl", "x-1-py2.py3-none-any.whl"], 1),
    ],
)
def test_the_best_fitting_wheel_is_taken(
    tmp_path: Path, target: Target, files: list[str], best: int
) -> None:
    [wheel] = read_pylock(pylock(tmp_path, *files), target)
    assert (wheel.file, wheel.sha256, wheel.size) == (files[best], str(best + 1), best + 1)


@pytest.mark.parametrize(
    "file", ["x-1-cp312-cp312-manylinux_2_28_x86_64.whl", "x-1-cp313-cp313-win_amd64.whl", "x.whl"]
)
def test_a_package_without_a_fitting_wheel_is_named(tmp_path: Path, file: str) -> None:
    with pytest.raises(DsvmError, match="`x` 1 has no wheel for this machine"):
        read_pylock(pylock(tmp_path, file), DEBIAN_13)


def test_of_a_package_that_comes_as_source_only_the_archive_is_taken(tmp_path: Path) -> None:
    path = pylock(tmp_path)
    archive = 'sdist = {url = "https://i/x-1.tar.gz", size = 7, hashes = {sha256 = "abc"}}'
    path.write_text(path.read_text() + archive + "\n")

    [found] = read_pylock(path, DEBIAN_13, ["x"])

    assert (found.file, found.sha256, found.size) == ("x-1.tar.gz", "abc", 7)


@pytest.mark.parametrize(
    ("glibc", "named"),
    [((2, 41), "manylinux_2_40"), ((2, 36), "manylinux_2_36"), ((2, 30), "manylinux_2_28")],
)
def test_uv_is_told_a_platform_it_knows(glibc: tuple[int, int], named: str) -> None:
    assert Target((3, 13), glibc, "amd64").uv_platform == f"x86_64-{named}"


def test_an_older_python_comes_from_another_base() -> None:
    bases = load_catalog().bases
    target, other = target_for("3.11", bases["debian-13"], bases)
    assert other == bases["debian-12"]
    assert target == Target((3, 11), (2, 36), architecture())
    assert target_for(None, bases["debian-13"], bases)[1] is None


@pytest.mark.parametrize(
    ("python", "base", "cause"),
    [("3.13", "debian-12", "for a newer C library"), ("3.9", "debian-13", "no base has it")],
)
def test_a_python_that_cannot_run_here_is_refused(python: str, base: str, cause: str) -> None:
    bases = load_catalog().bases
    with pytest.raises(DsvmError, match=cause) as refused:
        target_for(python, bases[base], bases)
    assert "ask for one of" in (refused.value.remedy or "")
