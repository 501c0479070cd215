"""sbom: what a machine is made of, for programs that look for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli.call import Call, NameArgument, command

if TYPE_CHECKING:
    from dsvm.catalog import Catalog
    from dsvm.lock.model import Lock


def register(app: typer.Typer) -> None:
    command(app)(sbom)


def sbom(
    call: Call,
    name: NameArgument = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Write it there; default: to stdout.",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Write the bill of materials, from the lock: CycloneDX 1.6 as JSON.

    OS packages, Python, npm, R and conda packages and artifacts, with digests and package URLs.
    """
    from dsvm.sbom import as_cyclonedx
    from dsvm.whole import write_whole

    meant, lock, catalog = _of_machine(call, name) if name else _here()
    text = as_cyclonedx(meant, lock, catalog.tools)
    if output is None:
        call.console.data(text.rstrip("\n"))
        return
    write_whole(output, text.encode())
    call.console.say(f"wrote {output}")


def _of_machine(call: Call, name: str) -> tuple[str, Lock, Catalog]:
    """A machine as it is, also where its definition has changed since."""
    from dsvm.cli.call import machine_meant
    from dsvm.cli.prove import catalog_of

    machine = machine_meant(call, name)
    return machine.name, machine.record.lock, catalog_of(machine)


def _here() -> tuple[str, Lock, Catalog]:
    """What the definition here describes; nothing has to be built for it."""
    from dsvm.cli.definition import catalog_here, definition_path, lock_of
    from dsvm.definition import read_name

    path = definition_path()
    return read_name(path), lock_of(path), catalog_here()
