"""Commands of the apps are found by name, and what a person put there stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.guest import commands
from dsvm.guest.outcome import Outcome
from dsvm.guest.seed import SeedTree


@pytest.fixture
def bin(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def tree(tmp_path: Path, **programs: str) -> SeedTree:
    layer = {"digest": "d", "bytes": 1}
    return SeedTree(mountpoint=f"{tmp_path}/apps/julia", layer=layer, commands=programs)  # type: ignore[typeddict-item]


def test_a_command_comes_moves_and_goes_with_its_app(bin: Path, tmp_path: Path) -> None:
    apps, out = tmp_path / "apps", Outcome()

    for program in ("bin/julia", "usr/bin/julia"):
        commands.apply([tree(tmp_path, julia=program)], out, bin, apps)
        assert (bin / "julia").readlink() == apps / "julia" / program
    commands.apply([], out, bin, apps)

    assert list(bin.iterdir()) == []
    assert out.notes == []


def test_what_a_person_put_there_stays_and_is_told(bin: Path, tmp_path: Path) -> None:
    (bin / "julia").write_text("mine")
    out = Outcome()

    commands.apply([tree(tmp_path, julia="bin/julia")], out, bin, tmp_path / "apps")
    commands.apply([], out, bin, tmp_path / "apps")

    assert (bin / "julia").read_text() == "mine"
    assert len(out.notes) == 1
    assert "is yours and hides the command `julia`" in out.notes[0]
