"""A lesson's script as a notebook in one language.

The script is in the percent format (https://jupytext.readthedocs.io/en/latest/formats-scripts.html):
`# %%` begins a cell of code, `# %% [markdown] lang="en"` one of text in a language. The notebook is
of format 4.5 (https://nbformat.readthedocs.io/en/latest/format_description.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from dsvm.learn.lessons import load_lessons
from dsvm.learn.model import LANGUAGES, Language

CELL = re.compile(r'^# %%(?: \[markdown\] lang="(?P<language>\w+)")?$', re.M)


@dataclass(frozen=True)
class Cell:
    """`language` is None for code."""

    language: str | None
    text: str


def cells(script: str) -> Iterator[Cell]:
    """The cells of a script, in their order. Raises `ValueError` for what is before the first one,
    and for a language that nobody knows."""
    marks = list(CELL.finditer(script))
    if not marks or script[: marks[0].start()].strip():
        raise ValueError("a lesson begins with `# %%`")
    ends = [*(mark.start() for mark in marks[1:]), len(script)]
    for mark, end in zip(marks, ends, strict=True):
        language, text = mark["language"], script[mark.end() : end].strip("\n")
        if language is None:
            yield Cell(None, text)
        elif language in LANGUAGES:
            yield Cell(language, "\n".join(_bare(line) for line in text.splitlines()))
        else:
            raise ValueError(f"nobody reads `{language}`")


def notebook(script: str, language: Language, kernel: str) -> str:
    """The notebook for readers of that language, on that kernel."""
    chosen = [cell for cell in cells(script) if cell.language in (None, language)]
    data = {
        "cells": [_cell(number, cell) for number, cell in enumerate(chosen)],
        "metadata": {
            "kernelspec": {"name": kernel, "display_name": kernel, "language": "python"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def lesson_files() -> Iterator[tuple[PurePosixPath, bytes]]:
    """What a machine has of all lessons, below one folder: each one's files and notebooks."""
    for lesson in load_lessons().values():
        place = PurePosixPath(lesson.name)
        for file in sorted(lesson.folder.iterdir()):
            if file.is_file():
                yield place / file.name, file.read_bytes()
        script = (lesson.folder / "lesson.py").read_text("utf-8")
        for language in LANGUAGES:
            end = "" if language == LANGUAGES[0] else f".{language}"
            text = notebook(script, language, lesson.environment)
            yield place / f"{lesson.name}{end}.ipynb", text.encode()


def _bare(line: str) -> str:
    if not line.startswith("#"):
        raise ValueError(f"text without `#` before it: {line}")
    return line[1:].removeprefix(" ")


def _cell(number: int, cell: Cell) -> dict[str, object]:
    lines = cell.text.splitlines(keepends=True)
    shared: dict[str, object] = {"id": f"cell-{number}", "metadata": {}, "source": lines}
    if cell.language:
        return {"cell_type": "markdown", **shared}
    return {"cell_type": "code", "execution_count": None, "outputs": [], **shared}
