"""The folder that a new tool starts from."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.catalog.new import new_tool
from dsvm.errors import DsvmError


def check(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """The check of the new tool, as verify runs it, with this PATH."""
    return subprocess.run(
        ["/bin/bash", folder / "check.sh"],
        env={"PATH": path, "DSVM_SAMPLES": str(folder / "samples")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_tool_is_one_that_the_catalog_takes(tmp_path: Path) -> None:
    folder = new_tool("our-sums", tmp_path / "tools")

    tool = load_catalog([tmp_path / "tools"]).tool("our-sums")

    assert tool.folder == folder
    assert tool.title == "Our sums"
    assert "@" not in (folder / "tool.toml").read_text()
    assert [entry.name for entry in (tmp_path / "tools").iterdir()] == ["our-sums"]


def test_its_check_compares_what_the_program_answers(tmp_path: Path) -> None:
    folder = new_tool("sums", tmp_path / "tools")
    liar = tmp_path / "bin" / "jq"
    liar.parent.mkdir()
    liar.write_text("#!/bin/sh\necho 0\n")
    liar.chmod(0o755)
    tool = load_catalog([tmp_path / "tools"]).tool("sums")

    absent, wrong = check(folder, "/nonexistent"), check(folder, str(liar.parent))

    expected = {one.name: one.expect for one in tool.breaks}
    assert absent.returncode != 0
    assert expected["missing program"] in absent.stderr
    assert wrong.returncode != 0
    assert expected["a program that answers wrongly"] in wrong.stderr


@pytest.mark.skipif(not shutil.which("jq"), reason="this host has no jq")
def test_its_check_passes_with_the_program(tmp_path: Path) -> None:
    done = check(new_tool("sums", tmp_path), os.environ["PATH"])

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["Sums", "../sums", "", "git"])
def test_a_name_that_cannot_be_is_refused_and_nothing_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(DsvmError):
        new_tool(name, tmp_path / "tools")

    assert not (tmp_path / "tools").exists()


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    kept = new_tool("sums", tmp_path) / "tool.toml"
    kept.write_text("mine")

    with pytest.raises(DsvmError, match="exists"):
        new_tool("sums", tmp_path)

    assert kept.read_text() == "mine"
