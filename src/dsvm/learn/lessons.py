"""Find and check the lessons: `load_lessons`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from dsvm.errors import UsageError
from dsvm.learn.model import Lesson

FOLDER = Path(__file__).parent / "gallery"


@cache
def load_lessons(folder: Path = FOLDER) -> dict[str, Lesson]:
    """All of them by name, in the order in which a person meets them."""
    found = [_lesson(file.parent) for file in folder.glob("*/lesson.toml")]
    return {one.name: one for one in sorted(found, key=lambda one: (one.order, one.name))}


def lesson(name: str) -> Lesson:
    """Raises `UsageError` when there is none of that name."""
    known = load_lessons()
    if name not in known:
        raise UsageError(f"there is no lesson `{name}`", remedy=f"there are: {', '.join(known)}")
    return known[name]


def _lesson(folder: Path) -> Lesson:
    found = Lesson.model_validate(tomllib.loads((folder / "lesson.toml").read_text("utf-8")))
    found._folder = folder
    return found
