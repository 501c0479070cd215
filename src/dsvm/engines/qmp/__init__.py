"""Speaks with a running QEMU, or storage daemon, over its monitor socket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

Command = tuple[str, Mapping[str, object]]


class Unreachable(Exception):
    """No QEMU answers at that socket: it has ended, or is not up yet."""


class Refused(Exception):
    """QEMU refuses the command."""


def ask(place: Path, *commands: Command) -> list[object]:
    """Run the commands one after the other; return their answers.

    Raises `Unreachable` when there is no QEMU at `place` or it ends meanwhile, `Refused` when it
    refuses a command, `TimeoutError` when one is not answered within 20 seconds.
    """
    # It brings asyncio: 30 ms of every start and every `ls`, for most of whom nobody asks.
    from dsvm.engines.qmp.client import answers

    return answers(place, commands)
