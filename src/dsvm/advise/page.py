"""The answer of `dsvm advise` as a page: what the terminal says, with the picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dsvm.advise.answer import (
    CHANGE_COLUMNS,
    MEMORY_COLUMNS,
    SIZE_COLUMNS,
    change_rows,
    memory_rows,
    sentences,
    size_rows,
)
from dsvm.advise.estimate import Estimate
from dsvm.advise.picture import picture
from dsvm.verify.pages import template

Table = tuple[str, Sequence[str], Sequence[dict[str, str]]]


def page(found: Estimate, steps: int | None) -> str:
    """One file of HTML; nothing in it is loaded from elsewhere."""
    tables: list[Table] = [
        ("Memory", MEMORY_COLUMNS, memory_rows(found.memory)),
        ("Sizes", SIZE_COLUMNS, size_rows(found)),
        ("What would make it smaller", CHANGE_COLUMNS, change_rows(found)),
    ]
    return template("advise").render(
        title=title(found),
        asked={key: value for key, value in found.job.items() if value not in (None, False, 0)},
        picture=drawn(found) if found.memory.curve else None,
        tables=[one for one in tables if one[2]],
        sentences=sentences(found, steps),
    )


def title(found: Estimate) -> str:
    """The job by its file, or by what else it is."""
    job = found.job
    named = next((job[key] for key in ("file", "config", "onnx") if job.get(key)), None)
    return Path(str(named)).name if named else "the job"


def drawn(found: Estimate) -> str:
    """Memory over two steps as SVG, with the limit of the cheapest size."""
    chosen = found.choice.cheapest
    return picture(
        found.memory.curve,
        f"Memory of {title(found)} over two steps",
        chosen.size.memory if chosen else None,
        chosen.size.name if chosen else "",
    )
