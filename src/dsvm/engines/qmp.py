"""Speaks with a running QEMU, or storage daemon, over its monitor socket, by QEMU's own library."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from qemu.qmp import ConnectError, ExecInterruptedError, QMPClient, QMPError

from dsvm.engines.sockets import reachable

ANSWER_TIMEOUT_S = 20.0
Command = tuple[str, Mapping[str, object]]


class Unreachable(Exception):
    """No QEMU answers at that socket: it has ended, or is not up yet."""


def ask(place: Path, *commands: Command) -> list[object]:
    """Run the commands one after the other; return their answers.

    Raises `Unreachable` when there is no QEMU at `place` or it ends meanwhile, `QMPError` when it
    refuses a command, `TimeoutError` when one is not answered within `ANSWER_TIMEOUT_S` seconds.
    """
    try:
        with reachable(place) as path:
            return asyncio.run(_ask(path, commands))
    except (ConnectError, ExecInterruptedError, FileNotFoundError) as gone:
        raise Unreachable(str(gone)) from None


async def _ask(path: str, commands: Sequence[Command]) -> list[object]:
    client = QMPClient()
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        await client.connect(path)
    try:
        return [await _execute(client, name, dict(words)) for name, words in commands]
    finally:
        with suppress(QMPError, OSError, EOFError):  # it ended while it was asked: `quit`
            await client.disconnect()


async def _execute(client: QMPClient, name: str, words: dict[str, object]) -> object:
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        return await client.execute(name, words)
