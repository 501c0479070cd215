"""The guide docs/walkthrough.md: every line is typed, and what the page says comes out."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from dsvm.home import Home
from tests.console_blocks import CHECKOUT, WALKTHROUGH
from tests.system.project import Project
from tests.system.typed import Dsvm

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
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, "DSVM_HOME": str(home.root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        told += done.stdout
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
