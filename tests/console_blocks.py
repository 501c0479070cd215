"""The commands that the documentation shows: lines that begin with `$` in ```console blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
# In the order in which a new person reads them, which is the order in which they are run.
PAGES = (
    "README.md",
    "docs/getting-started.md",
    "docs/tools.md",
    "docs/models.md",
    "docs/troubleshooting.md",
    "CONTRIBUTING.md",
)
# Goes its own way on a machine of its own: tests/system/test_walkthrough.py.
WALKTHROUGH = ("docs/walkthrough.md",)
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Line:
    """One command as the page shows it, without the prompt and the remark behind it."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def shown(pages: Sequence[str] = PAGES) -> list[Line]:
    """All of them on these pages."""
    return [
        Line(page, re.sub(r"\s+# .*$", "", line.removeprefix("$ ")).strip())
        for page in pages
        for block in BLOCK.findall((CHECKOUT / page).read_text(encoding="utf-8"))
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
