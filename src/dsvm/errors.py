"""The one family of errors a person sees: what happened, why, and what to do.

Errors are raised deep as data and printed once, in `dsvm.cli`. Anything that a user, a network
or a disk can cause is a `DsvmError`; any other exception is a bug and shows its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class DsvmError(Exception):
    """What happened (`what`), why (`cause`), what to do (`remedy`), where to read on (`log`).

    `where` holds lines of the user's own text that the error speaks of, such as
    ``dsvm.toml:4   tools = ["r", "pytorh"]``.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        cause: str | None = None,
        remedy: str | None = None,
        log: Path | None = None,
        where: Sequence[str] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.remedy = remedy
        self.log = log
        self.where = tuple(where)

    def lines(self) -> list[str]:
        """The error as it is printed: begins with `error:`, ends with `hint:` if there is one."""
        out = [f"error: {self.what}"]
        out += [f"  {line}" for line in self.where]
        if self.cause:
            out.append("  cause: " + self.cause.strip().replace("\n", "\n         "))
        if self.log:
            out.append(f"  log:   {self.log}")
        if self.remedy:
            out.append(f"hint: {self.remedy}")
        return out

    def __str__(self) -> str:
        return "\n".join(self.lines())


class UsageError(DsvmError):
    """The command was called wrongly."""

    exit_code = 2


class ErrorGroup(DsvmError):
    """Several independent errors found in one pass, printed one after another."""

    def __init__(self, errors: Sequence[DsvmError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = tuple(errors)

    def lines(self) -> list[str]:
        out: list[str] = []
        for error in self.errors:
            out += [*error.lines(), ""]
        return out[:-1]
