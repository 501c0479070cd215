"""`dsvm.engines.qmp` by QEMU's own library."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from qemu.qmp import ConnectError, ExecInterruptedError, QMPClient, QMPError

from dsvm.engines.qmp import Command, Refused, Unreachable
from dsvm.engines.sockets import reachable

ANSWER_TIMEOUT_S = 20.0


def answers(place: Path, commands: Sequence[Command]) -> list[object]:
    """See `dsvm.engines.qmp.ask`."""
    try:
        with reachable(place) as path:
            return asyncio.run(_ask(path, commands))
    except (ConnectError, ExecInterruptedError, FileNotFoundError) as gone:
        raise Unreachable(str(gone)) from None
    except QMPError as refused:
        raise Refused(str(refused)) from None


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
