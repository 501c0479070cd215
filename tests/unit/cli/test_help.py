"""Help, completion, and how fast they are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dsvm.cli.reference import commands
from tests.unit.cli.conftest import Type

COMMANDS = commands()
HEAVY = ("pydantic", "rich", "httpx", "tomlkit", "dsvm.machines", "dsvm.lock", "dsvm.engines")


def test_the_commands_are_those_of_the_design() -> None:
    assert {" ".join(words) for words in COMMANDS} == {
        *("init", "tools", "add", "lock", "build", "up", "ls", "ssh", "run", "cp", "open", "logs"),
        *("verify", "stop", "start", "rm", "gc", "doctor", "schema"),
        *("env ls", "env create", "env diff", "env reset"),
    }


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_helps_and_takes_yes_and_debug(dsvm: Type, words: tuple[str, ...]) -> None:
    screen = dsvm(*words, "--help")

    assert screen.code == 0
    assert screen.err == ""
    assert screen.out.startswith(f"Usage: dsvm {' '.join(words)} ")
    assert "--yes" in screen.out
    assert "--debug" in screen.out


def test_dsvm_alone_shows_its_help(dsvm: Type) -> None:
    screen = dsvm("--help")

    assert screen.code == 0
    assert all(f"\n  {words[0]} " in screen.out for words in COMMANDS)
    assert "3 some check failed" in screen.out


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from dsvm.cli import invoke; invoke(['--help'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stderr == "[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_shown_for_each_shell(dsvm: Type, shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dsvm"],
        env={"_DSVM_COMPLETE": f"source_{shell}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "_DSVM_COMPLETE=complete_" in done.stdout


def test_completion_completes_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dsvm"],
        env={
            "_DSVM_COMPLETE": "complete_bash",
            "COMP_WORDS": "dsvm do",
            "COMP_CWORD": "1",
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == ["doctor"]
