"""A user's copy of the lessons is made once, and then the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.guest.learn import copy


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / "originals"
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        (folder / name / "lesson.py").write_text("print(1)\n")
    return folder


def test_all_are_copied_and_may_be_written(tmp_path: Path, originals: Path) -> None:
    (originals / "one" / "lesson.py").chmod(0o444)

    copy(tmp_path, originals)

    mine = tmp_path / "learn" / "one" / "lesson.py"
    assert mine.read_text() == "print(1)\n"
    assert mine.stat().st_mode & 0o200


def test_what_was_changed_or_thrown_away_stays_so_and_a_new_one_comes(
    tmp_path: Path, originals: Path
) -> None:
    copy(tmp_path, originals)
    mine = tmp_path / "learn"
    (mine / "one" / "lesson.py").write_text("mine\n")
    (mine / "two" / "lesson.py").unlink()
    (mine / "two").rmdir()
    (originals / "three").mkdir()

    copy(tmp_path, originals)

    assert (mine / "one" / "lesson.py").read_text() == "mine\n"
    assert not (mine / "two").exists()
    assert (mine / "three").is_dir()


def test_a_folder_of_the_users_own_is_left_alone(tmp_path: Path, originals: Path) -> None:
    (tmp_path / "learn" / "one").mkdir(parents=True)

    copy(tmp_path, originals)

    assert list((tmp_path / "learn" / "one").iterdir()) == []


def test_a_copy_that_was_killed_is_made_whole(tmp_path: Path, originals: Path) -> None:
    half = tmp_path / "learn" / ".one.new"
    half.mkdir(parents=True)
    (half / "rest").write_text("")

    copy(tmp_path, originals)

    assert [file.name for file in (tmp_path / "learn" / "one").iterdir()] == ["lesson.py"]
    assert not half.exists()


def test_a_machine_without_lessons_gives_none(tmp_path: Path) -> None:
    copy(tmp_path, tmp_path / "nowhere")
    assert not (tmp_path / "learn").exists()
