"""Files from their makers: fetched once when they are locked, so that their digest is known."""

from __future__ import annotations

from dsvm.catalog.model import Tool
from dsvm.errors import DsvmError
from dsvm.fetch import take
from dsvm.home import Home
from dsvm.lock.model import LockedArtifact
from dsvm.store import Store


def lock_artifact(tool: Tool, old: LockedArtifact | None, home: Home) -> LockedArtifact:
    """The tool's artifact with its digest; `old` if it may stay. Raises `DsvmError`."""
    if old:
        return old
    if tool.artifact is None:
        raise ValueError(f"{tool.name} has no artifact")
    try:
        sha256, size = take(tool.artifact.url, Store(home.store))
    except DsvmError as fault:
        raise DsvmError(
            f"the artifact of `{tool.name}` could not be fetched",
            cause=fault.cause,
            remedy=f"see that its address is reached, or leave out `{tool.name}`",
        ) from fault
    return LockedArtifact(tool=tool.name, url=tool.artifact.url, sha256=sha256, size=size)
