"""Help, completion, and how fast they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dsvm.cli.reference import commands
from tests.unit.cli.conftest import Type
from tests.unit.cli.machine import a_machine

COMMANDS = commands()
HEAVY = ("pydantic", "rich", "httpx", "tomlkit", "dsvm.machines", "dsvm.lock", "dsvm.engines")


def test_the_commands_are_those_of_the_design() -> None:
    assert {" ".join(words) for words in COMMANDS} == {
        *("init", "add", "lock", "build", "up", "ls", "ssh", "run", "cp", "open", "logs"),
        *("verify", "stop", "start", "rm", "snapshot", "snapshots", "restore", "pack", "unpack"),
        *("gc", "doctor", "hardware", "schema", "sbom", "tools find", "tools new", "tools test"),
        *("env ls", "env create", "env diff", "env reset", "image export", "resize", "update"),
        *("runs", "learn", "advise", "sizes list", "sizes update"),
        *("models find", "models add", "models run", "models serve"),
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


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("dsvm do", ["doctor"]),
        ("dsvm ssh l", ["lab", "lab-two"]),
        ("dsvm open j", ["jupyterlab"]),
        ("dsvm add py", ["python", "pytorch"]),
        ("dsvm verify --tool xg", ["xgboost"]),
        ("dsvm init --profile st", ["starter"]),
        ("dsvm up --engine a", ["auto"]),
        ("dsvm tools ne", ["new"]),
        ("dsvm tools pyt", ["python", "pytorch"]),
        ("dsvm tools --si", ["--site"]),
    ],
)
def test_bash_completes_words(
    line: str, completed: list[str], folder: Path, tmp_path: Path
) -> None:
    for name in ("lab", "lab-two"):
        a_machine(tmp_path / "home", name, folder)
    program = tmp_path / "dsvm"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m dsvm "$@"\n')
    program.chmod(0o755)
    words = line.split()
    script = (
        'eval "$(env _DSVM_COMPLETE=source_bash dsvm)"; '
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
        "_dsvm_completion dsvm; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "DSVM_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout.split(), done.stderr) == (completed, "")


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
