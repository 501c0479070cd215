"""Which tools a plain run of the tests breaks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.system.changed_tools import FIXED, MOST_CHANGED, changed_tools, left_out


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a main branch of two commits."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    write(tmp_path, "git", "first")
    write(tmp_path, "vim", "first")
    return tmp_path


def git(checkout: Path, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", "-C", str(checkout), *who, *words], check=True, capture_output=True)


def write(checkout: Path, tool: str, text: str, *, commit: bool = True) -> None:
    file = checkout / "src" / "dsvm" / "tools" / tool / "tool.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if commit:
        git(checkout, "add", "--all")
        git(checkout, "commit", "--quiet", "--message", f"{tool}: {text}")


def test_what_a_branch_changed_is_chosen_the_latest_first(checkout: Path) -> None:
    git(checkout, "switch", "--quiet", "--create", "work")
    write(checkout, "duckdb", "new")
    write(checkout, "vim", "other")
    write(checkout, "spark", "not committed", commit=False)

    assert changed_tools(checkout, {}) == ["spark", "vim", "duckdb"]


def test_on_the_main_branch_the_last_commits_count(checkout: Path) -> None:
    write(checkout, "duckdb", "new")

    assert changed_tools(checkout, {}) == ["duckdb", "vim"]
    assert changed_tools(checkout, {"DSVM_TEST_SINCE": "HEAD~1"}) == ["duckdb"]


def test_without_git_nothing_has_changed(tmp_path: Path) -> None:
    assert changed_tools(tmp_path, {}) == []


def test_a_plain_run_leaves_tools_out_and_says_why() -> None:
    changed = [f"new-{number}" for number in range(MOST_CHANGED + 1)]

    left = left_out([*FIXED, *changed, "weka"], changed, long=False)

    assert left.keys() == {changed[-1], "weka"}
    assert "others changed later: run ./test --long" in left[changed[-1]]
    assert "neither one of the fixed 8 nor changed" in left["weka"]
    assert left_out([*FIXED, *changed, "weka"], changed, long=True) == {}
