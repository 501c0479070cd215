"""Lets a disk that is in use go on in another file, by the monitor of who has it open."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from dsvm.engines import qmp
from dsvm.errors import DsvmError

FILE_OPTIONS = {"locking": "on", "discard": "unmap"}
DISK_OPTIONS = {"discard": "unmap", "detect-zeroes": "unmap"}


def go_on(monitor: Path, overlay: Path, name: str) -> None:
    """All that the machine `name` writes from now on goes to `overlay`, a qcow2 on its disk.

    One moment for all: what was flushed before is below, what comes after is above. The name of
    `overlay` must lead to it for as long as the machine runs: QEMU opens a disk that becomes
    read-only once more, by the name it knows. Raises `DsvmError`; the disk is then what it was.
    """
    try:
        (found,) = qmp.ask(monitor, ("query-named-block-nodes", {}))
        node = f"disk-{overlay.stat().st_ino}"
        file = {"driver": "file", "filename": str(overlay.absolute()), **FILE_OPTIONS}
        disk = {"driver": "qcow2", "node-name": node, "file": file, "backing": None, **DISK_OPTIONS}
        top = _top(cast("list[dict[str, Any]]", found))
        qmp.ask(
            monitor,
            ("blockdev-add", disk),
            ("blockdev-snapshot", {"node": top, "overlay": node}),
        )
    except (qmp.Unreachable, qmp.Refused, TimeoutError) as failed:
        raise DsvmError(
            f"the disk of machine `{name}` does not take a snapshot while it runs",
            cause=str(failed) or "no answer",
            remedy=f"dsvm stop {name}, dsvm snapshot {name}, dsvm start {name}",
        ) from None


def _top(nodes: list[dict[str, Any]]) -> str:
    """The one qcow2 that is written to."""
    (top,) = (node["node-name"] for node in nodes if node["drv"] == "qcow2" and not node["ro"])
    return str(top)
