"""Archives of makers and npm packages as trees."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dsvm.build import apps, debs
from dsvm.errors import DsvmError
from tests.unit.build.examples import make_deb


def tarball(path: Path, files: dict[str, tuple[bytes, int]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, (content, mode) in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    return path


def test_leading_folders_are_stripped_and_programs_stay_executable(tmp_path: Path) -> None:
    archive = tarball(tmp_path / "a.tgz", {"app-1.0/bin/run": (b"#!/bin/sh", 0o700)})
    apps.untar(archive, tmp_path / "tree", 1)
    apps._normalise(tmp_path / "tree")

    assert (tmp_path / "tree/bin/run").stat().st_mode & 0o777 == 0o755


def test_a_zip_keeps_its_programs_executable(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        info = zipfile.ZipInfo("app/run")
        info.external_attr = 0o100755 << 16
        zipped.writestr(info, b"#!/bin/sh")
    apps._unzip(tmp_path / "a.zip", tmp_path / "tree", 1)

    assert (tmp_path / "tree/run").stat().st_mode & 0o111


def test_a_deb_is_unpacked_and_no_script_of_it_runs(tmp_path: Path) -> None:
    deb = make_deb(tmp_path, "server", files={"opt/server/run": "#!/bin/sh"})
    tree = tmp_path / "tree"
    tree.mkdir()
    apps._undeb(deb, tree, 1, tmp_path / "log")

    assert debs.is_deb(deb)
    assert [path.name for path in tree.rglob("*") if path.is_file()] == ["run"]
    assert not (tmp_path / "files.tar").exists()


def test_an_archive_cannot_write_outside_its_layer(tmp_path: Path) -> None:
    archive = tarball(tmp_path / "a.tgz", {"app/../../escaped": (b"x", 0o644)})
    (tmp_path / "tree").mkdir()

    with pytest.raises(tarfile.FilterError):
        apps.untar(archive, tmp_path / "tree", 0)

    assert not (tmp_path / "escaped").exists()


def linked(tar: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tar.addfile(info)


def inside(tar: tarfile.TarFile) -> None:
    tar.addfile(tarfile.TarInfo("folder/x"))
    linked(tar, "way", "folder")


def outside(tar: tarfile.TarFile) -> None:
    linked(tar, "way", "../elsewhere")


def a_long_way(tar: tarfile.TarFile) -> None:
    """Links that resolve to more than PATH_MAX bytes, where realpath(3) stops looking."""
    folder, step = "d" * 247, ""
    for letter in "abcdefghijklmnop":
        info = tarfile.TarInfo(f"{step}{folder}")
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
        linked(tar, f"{step}{letter}", folder)
        step += f"{folder}/"
    far = "/".join("abcdefghijklmnop") + "/" + "l" * 254
    linked(tar, far, "../" * 16)
    linked(tar, "way", f"{far}/../elsewhere")


@pytest.mark.parametrize("lay", [inside, outside, a_long_way])
def test_an_archive_writes_nothing_through_a_link(
    tmp_path: Path, lay: Callable[[tarfile.TarFile], None]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as tar:
        lay(tar)
        info = tarfile.TarInfo("way/escaped")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    (tmp_path / "tree").mkdir()

    with pytest.raises((tarfile.FilterError, DsvmError)):
        apps.untar(tmp_path / "a.tgz", tmp_path / "tree", 0)

    assert not list(tmp_path.rglob("escaped"))


def test_a_zip_cannot_write_outside_its_layer(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        for name in ("../../escaped", "/etc/escaped", "app/../../escaped"):
            zipped.writestr(name, b"x")
    (tmp_path / "around" / "tree").mkdir(parents=True)

    apps._unzip(tmp_path / "a.zip", tmp_path / "around" / "tree", 0)

    found = {path for path in tmp_path.rglob("escaped") if path.is_file()}
    assert found
    assert all(path.is_relative_to(tmp_path / "around" / "tree") for path in found)
    assert not Path("/etc/escaped").exists()
