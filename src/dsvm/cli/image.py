"""image export: a disk that boots without dsvm."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dsvm.cli.call import Call, command


class Format(StrEnum):
    """What any hypervisor reads, and what QEMU's family reads."""

    raw = "raw"
    qcow2 = "qcow2"


def register(app: typer.Typer) -> None:
    command(app, json=True)(export)


def export(
    call: Call,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Default: the machine's name and the format, here."),
    ] = None,
    kind: Annotated[Format, typer.Option("--format", help="Of the file.")] = Format.qcow2,
) -> None:
    """Write the image of dsvm.toml as a disk that boots by UEFI, with everything in it.

    It has no keys, no passwords and nothing of this host. Who boots it says by cloud-init's NoCloud
    who may log in; it grows into the disk it finds. What you wrote in a machine is not in it: that
    is `dsvm pack`.
    """
    from dsvm.cli.definition import definition_path
    from dsvm.console import size
    from dsvm.definition import read_name
    from dsvm.host.prepare import prepare
    from dsvm.machines.export import export as write

    path = definition_path()
    target = (file or Path(f"{read_name(path)}.{kind.value}")).absolute()
    if target.exists():
        call.confirm(f"replace {target}?")
    prepare("auto", call.home, call.progress, agree=call.agree)
    done = write(call.home, path, target, kind.value, progress=call.progress)
    if call.json:
        call.console.json(done.json())
        return
    call.console.data(str(done.file))
    call.console.say(f"{size(done.bytes)}; all that is in it: {done.lock.name}")
    for what in done.left:
        call.console.say(f"[{what}] of the definition is not in an image")
