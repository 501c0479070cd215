"""What every command has: the console, `--yes`, `--debug`, `--json`, and the machine it means."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsvm.cli import complete
from dsvm.cli.usage import Command
from dsvm.console import Console

if TYPE_CHECKING:
    from dsvm.home import Home
    from dsvm.machines.machine import Machine
    from dsvm.progress import Progress

Yes = Annotated[bool, typer.Option("--yes", help="Answer every question with yes.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NameArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="The machine; default: the one of dsvm.toml here.",
        autocompletion=complete.machines,
    ),
]

MachineOption = Annotated[
    str | None,
    typer.Option(
        "--machine",
        "-m",
        metavar="NAME",
        help="The machine; default: the one of dsvm.toml here.",
        autocompletion=complete.machines,
    ),
]


@dataclass
class Call:
    """One call of a command."""

    console: Console
    yes: bool
    json: bool

    @functools.cached_property
    def home(self) -> Home:
        from dsvm.home import Home

        return Home.default()

    @property
    def progress(self) -> Progress:
        return self.console.progress

    def agree(self, question: str) -> bool:
        """Before the host is changed: ask on a terminal; without one the caller has said it."""
        return self.yes or not self.console.interactive or self.console.ask(question)

    def confirm(self, question: str) -> None:
        """Before data is lost: ask; with neither a terminal nor `--yes` refuse."""
        from dsvm.errors import DsvmError

        if self.yes:
            return
        if not self.console.interactive:
            raise DsvmError(
                f"not done without a yes: {question}",
                cause="there is no terminal to ask on",
                remedy="add --yes",
            )
        if not self.console.ask(question):
            raise DsvmError("nothing was done", remedy="answer `y`, or add --yes")


def command(
    app: typer.Typer, name: str | None = None, *, json: bool = False
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register a function as a command; its first parameter is the `Call`, the rest its own.

    `--yes` and `--debug` are added to every command, `--json` to those that show something.
    """

    def register(function: Callable[..., int | None]) -> Callable[..., int | None]:
        @functools.wraps(function)
        def called(**given: Any) -> int | None:
            from dsvm.cli import Interrupted

            yes, wants_json = given.pop("yes"), given.pop("json", False)
            given.pop("debug")
            with Console() as console:
                try:
                    return function(Call(console, yes, wants_json), **given)
                except KeyboardInterrupt:  # typer would end silently
                    raise Interrupted from None

        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        shared = [("yes", Yes), ("debug", Debug)] + ([("json", Json)] if json else [])
        added = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
            for key, kind in shared
        ]
        called.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        app.command(name, cls=Command)(called)
        return function

    return register


def machine_meant(call: Call, name: str | None) -> Machine:
    """The named machine, else the one of `dsvm.toml` here or above."""
    from dsvm.machines.naming import resolve
    from dsvm.machines.state import Machines

    return Machines(call.home).get(resolve(name, Path.cwd()))


def over_ssh() -> str | None:
    """The address at which the person reached this host by SSH, if so."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    return words[2] if len(words) == 4 else None
