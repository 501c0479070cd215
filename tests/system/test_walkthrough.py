"""The guide docs/walkthrough.md: every line is typed, and what the page says comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dsvm.home import Home
from tests.console_blocks import CHECKOUT, WALKTHROUGH
from tests.system.project import Project
from tests.system.typed import Dsvm, typed_by_a_reader

PAGE = (CHECKOUT / WALKTHROUGH[0]).read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(toml|console|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MADE = "./dsvm up"


def typed(block: str, folder: Path, home: Home) -> str:
    """What the lines of a block print."""
    told = ""
    for line in block.splitlines():
        command = line.removeprefix("$ ")
        if command == MADE:
            continue
        told += typed_by_a_reader(command, folder, home, shell="bash")
    return told


@pytest.mark.long
def test_the_walkthrough(home: Home, dsvm: Dsvm) -> None:
    ((_, definition), *blocks) = BLOCK.findall(PAGE)
    with Project.made(home, dsvm, "walk", definition) as project:
        link = project.folder / "dsvm"
        link.unlink(missing_ok=True)
        link.symlink_to(CHECKOUT / "dsvm")
        told = ""
        for kind, block in blocks:
            if kind == "console":
                told = typed(block, project.folder, home)
            else:
                missing = [line for line in block.splitlines() if line not in told]
                assert missing == [], told
        assert (project.folder / "1-histograms.png").read_bytes().startswith(b"\x89PNG")
