"""Configuration files of the tools: written once, then the person's own."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from dsvm.guest import config
from dsvm.guest.seed import Seed, SeedFile


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a tool whose program is installed: its folder is there."""
    monkeypatch.setattr(config, "CONFIG", tmp_path / "config.json")
    monkeypatch.setattr(config, "write", lambda path, text: path.write_text(text))
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc" / "tool.conf"


def seed(*files: tuple[Path, str]) -> Seed:
    return cast(Seed, {"files": [SeedFile(path=str(path), text=text) for path, text in files]})


def test_a_file_is_written_and_a_new_text_of_the_tool_too(file: Path) -> None:
    file.write_text("of its package")
    config.apply(seed((file, "first")))
    first = file.read_text()
    config.apply(seed((file, "second")))

    assert (first, file.read_text()) == ("first", "second")


def test_only_files_that_were_written_are_told_for_they_restart_who_reads_them(file: Path) -> None:
    first = config.apply(seed((file, "first")))
    again = config.apply(seed((file, "first")))
    second = config.apply(seed((file, "second")))

    assert (first, again, second) == ({str(file)}, set(), {str(file)})


def test_what_a_person_changed_stays(file: Path) -> None:
    config.apply(seed((file, "text")))
    file.write_text("mine")
    config.apply(seed((file, "text")))
    kept = file.read_text()
    config.apply(seed())

    assert (kept, file.read_text()) == ("mine", "mine")


def test_a_file_goes_with_its_tool(file: Path) -> None:
    config.apply(seed((file, "text")))
    config.apply(seed())

    assert not file.exists()


def test_a_file_waits_for_the_folder_that_its_package_brings(file: Path) -> None:
    file.parent.rmdir()
    config.apply(seed((file, "text")))
    waited = file.exists()
    file.parent.mkdir()
    config.apply(seed((file, "text")))

    assert (waited, file.read_text()) == (False, "text")


def test_a_seed_of_an_older_dsvm_has_none(file: Path) -> None:
    config.apply(cast(Seed, {}))

    assert not file.exists()
