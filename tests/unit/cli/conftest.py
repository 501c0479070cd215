"""One command line, run in this process: its exit code and both of its streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dsvm.cli import invoke


@dataclass(frozen=True)
class Screen:
    """What a person saw."""

    code: int
    out: str
    err: str


Type = Callable[..., Screen]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder one is in, with an empty DSVM_HOME beside it."""
    here = tmp_path / "project"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("DSVM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return here


@pytest.fixture
def dsvm(folder: Path, capsys: pytest.CaptureFixture[str]) -> Type:
    def typed(*words: str) -> Screen:
        capsys.readouterr()
        code = invoke(list(words))
        seen = capsys.readouterr()
        return Screen(code, seen.out, seen.err.replace(str(folder), "HERE"))

    return typed
