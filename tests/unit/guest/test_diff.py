"""What a user changed, from three folders as an overlay shows them."""

from __future__ import annotations

import shutil
from pathlib import Path

from dsvm.guest.diff import diff

SITE = "lib/python3.13/site-packages"


def distribution(prefix: Path, name: str, version: str) -> None:
    info = prefix / SITE / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\n")
    (info / "RECORD").write_text(f"{name}.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n")
    (prefix / SITE / f"{name}.py").write_text(version)


def test_packages_are_told_by_version_and_their_files_are_not(tmp_path: Path) -> None:
    layer, upper, merged = (tmp_path / name for name in ("layer", "upper", "merged"))
    for name in ("six", "gone", "same"):
        distribution(layer, name, "1")
    distribution(merged, "same", "1")
    for prefix in (upper, merged):
        distribution(prefix, "six", "2")
        distribution(prefix, "new", "3")

    found = diff(layer, upper, merged)

    assert found.lines() == ["+ new 3", "- gone 1", "~ six 1 -> 2"]


def test_single_files_are_told_apart(tmp_path: Path) -> None:
    layer, upper, merged = (tmp_path / name for name in ("layer", "upper", "merged"))
    distribution(layer, "six", "1")
    (layer / "bin").mkdir()
    (layer / "bin" / "tool").write_text("layer")
    shutil.copytree(layer, merged)
    (merged / "bin" / "tool").unlink()
    for prefix in (upper, merged):
        (prefix / SITE).mkdir(parents=True, exist_ok=True)
        (prefix / "bin").mkdir(exist_ok=True)
        (prefix / SITE / "six.py").write_text("edited")
        (prefix / "notes.txt").write_text("mine")
    (upper / SITE / "__pycache__").mkdir()
    (upper / SITE / "__pycache__" / "six.pyc").write_text("")

    found = diff(layer, upper, merged)

    assert found.files_added == ["notes.txt"]
    assert found.files_changed == [f"{SITE}/six.py"]
    assert found.files_removed == ["bin/tool"]


def test_nothing_changed_is_nothing_told(tmp_path: Path) -> None:
    layer, upper = tmp_path / "layer", tmp_path / "upper"
    distribution(layer, "six", "1")
    (upper / SITE / "six-1.dist-info").mkdir(parents=True)

    assert not diff(layer, upper, layer)
