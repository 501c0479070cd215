"""Wheels made of source archives: what lies where, the same bytes, and what is refused."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from dsvm.build import source_only
from dsvm.catalog.model import SourceOnly
from dsvm.errors import DsvmError
from dsvm.lock.model import LockedEnvironment, PythonPackage
from dsvm.store import Store

ABOUT = "Metadata-Version: 2.4\nName: lake\nVersion: 1\nRequires-Dist: reed<2,>=1\n"
EXTRA = 'Requires-Dist: boat; extra == "trips"\n'
LAYOUT = SourceOnly(
    package="Lake", needs=["reed>=1,<2"], files={"lake": "lake", "lake/jars": "deps/jars"}
)
FILES = {
    "lake-1/setup.py": "raise SystemExit('nobody runs it')",
    "lake-1/deps/jars/water.jar": "blue",
    "lake-1/lake/__init__.py": "",
    "lake-1/lake/bin/swim": "#!/bin/sh",
    "lake-1/PKG-INFO": ABOUT + EXTRA + "\nA lake.\n",
}


def made(
    tmp_path: Path, layout: SourceOnly = LAYOUT, about: str = FILES["lake-1/PKG-INFO"]
) -> source_only.Wheels:
    """The wheels of an environment with `lake`, whose archive says this about itself."""
    store = Store(tmp_path / "store")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in {**FILES, "lake-1/PKG-INFO": about}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o755 if "/bin/" in name else 0o600
            tar.addfile(entry, io.BytesIO(text.encode()))
    digest = store.put(archive.getvalue())
    lake = PythonPackage(
        name="lake", version="1", file="lake-1.tar.gz", sha256=digest, size=1, source="pypi"
    )
    reed = lake.model_copy(update={"name": "reed", "file": "reed-1-py3-none-any.whl"})
    locked = LockedEnvironment(
        name="shore",
        variant="cpu",
        python="3.13",
        interpreter=None,
        requirements=("lake",),
        packages=(lake, reed),
        source="pypi",
        why="",
        source_only=(layout,),
    )
    return source_only.wheels(locked, store, tmp_path / "made")


def test_its_files_lie_where_the_tool_says_and_nothing_of_it_runs(tmp_path: Path) -> None:
    found = made(tmp_path)

    lake, reed = found.environment.packages
    assert (lake.file, reed.file) == ("lake-1-py3-none-any.whl", "reed-1-py3-none-any.whl")
    wheel = found.made[lake.file]
    assert lake.sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()
    with zipfile.ZipFile(wheel) as zipped:
        assert set(zipped.namelist()) == {
            "lake/__init__.py",
            "lake/bin/swim",
            "lake/jars/water.jar",
            *(f"lake-1.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL")),
        }
        assert zipped.getinfo("lake/bin/swim").external_attr >> 16 == 0o100755
        assert zipped.getinfo("lake/__init__.py").external_attr >> 16 == 0o100644
        assert zipped.read("lake-1.dist-info/METADATA").decode() == FILES["lake-1/PKG-INFO"]
        record = zipped.read("lake-1.dist-info/RECORD").decode()
    assert "lake/jars/water.jar,sha256=Fkd2iMDgBpnGz6RJejYS1-g8UyBitkslD-2JCBKO1Ug,4\n" in record


def test_the_same_archive_gives_the_same_wheel(tmp_path: Path) -> None:
    one, other = (made(tmp_path / name).environment.packages[0] for name in "ab")

    assert one == other


def test_what_an_older_archive_does_not_tell_is_told_by_the_tool(tmp_path: Path) -> None:
    found = made(tmp_path, about="Name: lake\nVersion: 1\n\nA lake.\n")

    with zipfile.ZipFile(next(iter(found.made.values()))) as zipped:
        told = zipped.read("lake-1.dist-info/METADATA").decode()
    assert told == "Name: lake\nVersion: 1\nRequires-Dist: reed<2,>=1\n\nA lake.\n"


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        ({"needs": ["reed>=2"]}, "what it requires is not what the tool says: reed"),
        ({"files": {"lake": "lake", "lake/data": "deps/data"}}, "there is no deps/data in it"),
        (
            {"files": {"lake": "lake", "lake/__init__.py": "deps/jars/water.jar"}},
            "two of its files would lie at `lake/__init__.py`",
        ),
    ],
)
def test_an_archive_that_is_otherwise_is_refused(
    tmp_path: Path, layout: dict[str, object], why: str
) -> None:
    wrong = LAYOUT.model_copy(update=layout)

    with pytest.raises(DsvmError, match=r"no wheel can be made of `lake-1.tar.gz`") as refused:
        made(tmp_path, wrong)

    assert why in str(refused.value.cause)
