"""verify: every tool does its real job on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli.call import Call, NameArgument, command

if TYPE_CHECKING:
    pass

CHECK_FAILED = 3
MARKS = {"passed": "ok", "failed": "FAILED", "not_tested": "not tested"}


def register(app: typer.Typer) -> None:
    command(app, json=True)(verify)


def verify(
    call: Call,
    name: NameArgument = None,
    tool: Annotated[
        list[str] | None, typer.Option("--tool", "-t", help="Only this tool; may be repeated.")
    ] = None,
) -> int:
    """Prove the machine: run the checks of its tools, write the report."""
    raise NotImplementedError
