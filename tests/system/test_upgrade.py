"""`dsvm lock --upgrade --proven` and `dsvm tools --outdated`, with an index of the test's own."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.home import Home
from dsvm.lock.versions import versions_of
from dsvm.machines.state import Machines
from tests.system.lock_support import index, serving
from tests.system.project import Project
from tests.system.typed import Dsvm

# With git the OS packages are those of the machine `small`: its OS tree serves here, too.
TOOL = """\
title = "Abacus"
summary = "Adds"
homepage = "https://abacus.example"
licence = "MIT"
group = "tools"
start = "python -c 'import abacuslib'"
apt = ["git"]
[example]
run = "/opt/dsvm/envs/abacus/bin/python -c 'import abacuslib; print(abacuslib.add(2, 3))'"
prints = "5"
[environment]
name = "abacus"
kernel = false
variants.cpu = ["abacuslib"]
[[check]]
run = "check.py"
[[break]]
name = "no library"
run = "mv /opt/dsvm/envs/abacus/lib /root/lib"
undo = "mv /root/lib /opt/dsvm/envs/abacus/lib"
expect = "No module named"
"""
CHECK = """\
# Adds two numbers.
import sys

import abacuslib

if (found := abacuslib.add(2, 3)) != 5:
    sys.exit(f"2 + 3 is {found}")
"""
GOOD, WRONG = "return a + b", "return a - b"


def offer(web: Path, version: str, body: str) -> None:
    """The library in this version on the index."""
    folder = web / "pypi" / "files"
    folder.mkdir(parents=True, exist_ok=True)
    info = f"abacuslib-{version}.dist-info"
    files = {
        "abacuslib.py": f"def add(a: int, b: int) -> int:\n    {body}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: abacuslib\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"abacuslib-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    index(web / "pypi")


@dataclass(frozen=True)
class Counting(Project):
    """A locked definition with the one tool, whose package `web` offers."""

    web: Path

    @property
    def versions(self) -> dict[str, str]:
        found = versions_of(load_catalog([self.folder / "ours"]).tool("abacus"), self.lock)
        return {name: version for name, version in found.items() if name != "git"}


@pytest.fixture
def counting(home: Home, dsvm: Dsvm, tmp_path: Path) -> Iterator[Counting]:
    tool = tmp_path / "ours" / "abacus"
    tool.mkdir(parents=True)
    (tool / "tool.toml").write_text(TOOL)
    (tool / "check.py").write_text(CHECK)
    web = tmp_path / "web"
    offer(web, "1.0", GOOD)
    with serving(web) as server:
        (tmp_path / "dsvm.toml").write_text(
            f'name = "counting"\nprofile = ""\ntools = ["abacus"]\n[catalog]\npaths = ["ours"]\n'
            f'[sources]\npypi = "{server.url("pypi/simple")}"\n'
        )
        found = Counting(home, dsvm, tmp_path, web)
        found.typed("lock")
        yield found


def test_a_tool_that_fails_with_its_new_version_is_held_until_a_newer_one_works(
    counting: Counting, home: Home
) -> None:
    assert counting.versions == {"abacuslib": "1.0"}
    offer(counting.web, "2.0", WRONG)
    newer = json.loads(counting.typed("tools", "--outdated", "--json"))
    assert [(one["package"], one["locked"], one["now"]) for one in newer] == [
        ("abacuslib", "1.0", "2.0")
    ]

    told = counting.typed("lock", "--upgrade", "--proven", "--yes")

    why = "abacus is held, for it fails with abacuslib 2.0: works: 2 + 3 is -1"
    assert told.splitlines()[-1] == why
    assert counting.versions == {"abacuslib": "1.0"}
    assert json.loads(counting.typed("tools", "abacus", "--json"))["held"] == why
    assert json.loads(counting.typed("tools", "--outdated", "--json"))[0]["held"]

    offer(counting.web, "2.1", GOOD)
    told = counting.typed("lock", "--upgrade", "--proven", "--yes")

    assert "env-abacus-cpu: abacuslib 1.0 -> 2.1 upgraded" in told.splitlines()
    assert counting.versions == {"abacuslib": "2.1"}
    assert counting.lock.held == ()
    assert "try-upgrade" not in Machines(home).names()


def test_an_update_that_fails_is_taken_back_and_one_that_works_has_a_way_back(
    counting: Counting, dsvm: Dsvm
) -> None:
    counting.typed("up", "--yes", "--engine", "nspawn")
    try:
        before = counting.lock
        counting.machine.ssh.run(["sh", "-c", "echo mine > mine"])
        offer(counting.web, "2.0", WRONG)

        failed = counting.dsvm("update", cwd=counting.folder, timeout_s=600)

        assert failed.returncode == 1
        assert "the update of machine `counting` failed; it runs as it did before" in failed.stderr
        assert "2 + 3 is -1" in failed.stderr
        assert counting.lock == before == counting.machine.record.lock
        counting.typed("verify")
        assert counting.machine.ssh.run(["cat", "mine"]).stdout == "mine\n"

        offer(counting.web, "3.0", GOOD)
        done = json.loads(counting.typed("update", "--json"))
        assert counting.versions == {"abacuslib": "3.0"}
        counting.typed("restore", done["snapshot"])

        assert counting.versions == {"abacuslib": "1.0"}
        assert json.loads(counting.typed("up", "--json"))["changes"] == []
        counting.typed("verify")
    finally:
        dsvm("rm", "counting", "--yes")
