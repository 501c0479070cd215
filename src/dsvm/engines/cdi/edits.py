"""What devices of CDI files change of a container, put together."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dsvm.engines.cdi import nvidia
from dsvm.engines.cdi.given import File, Given, Node
from dsvm.engines.cdi.hooks import Unknown, understand
from dsvm.engines.cdi.model import BindMount, DeviceNode, Edits
from dsvm.errors import DsvmError

if TYPE_CHECKING:
    from dsvm.engines.cdi.registry import Found

BIND = ("bind", "rbind")


def collect(devices: Sequence[Found], root: Path = Path("/")) -> Given:
    """All that these devices need. Raises `DsvmError` where the host lacks a part of it."""
    sum_ = _Sum(root)
    seen: list[Edits] = []
    for found in devices:
        for edits in (found.spec.container_edits, found.device.container_edits):
            if edits not in seen:  # a file's own count once for all of its devices
                seen.append(edits)
                sum_.add(edits, found)
    return sum_.given()


@dataclass
class _Sum:
    root: Path
    nodes: dict[str, Node] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, edits: Edits, found: Found) -> None:
        self.variables |= dict(text.split("=", 1) for text in edits.env)
        for one in edits.device_nodes:
            self._node(one, found)
        for mount in edits.mounts:
            self._file(mount, found)
        for hook in edits.hooks:
            try:
                meant = understand(hook)
            except Unknown as unknown:
                self._note(f"{found.name}: {unknown}")
                continue
            self.folders |= dict.fromkeys(meant.folders)
            self.links |= meant.links
        if edits.intel_rdt:
            self._note(f"{found.name}: its share of the processor's cache (intelRdt) is not set")
        if edits.net_devices:
            self._note(f"{found.name}: its network devices are not given")

    def given(self) -> Given:
        return Given(
            nodes=tuple(self.nodes.values()),
            files=tuple(self.files.values()),
            variables=self.variables,
            folders=tuple(self.folders),
            links=self.links,
            notes=tuple(self.notes),
        )

    def _note(self, text: str) -> None:
        self.notes[text] = None

    def _node(self, node: DeviceNode, found: Found) -> None:
        host = node.host_path or node.path
        there = _status(self.root, host)
        if node.type == "p":
            self._note(f"{found.name}: the pipe {node.path} is not made")
            return
        if node.type and node.major is not None and node.minor is not None:
            kind, major, minor = node.type, node.major, node.minor
        elif there and (stat.S_ISCHR(there.st_mode) or stat.S_ISBLK(there.st_mode)):
            kind = "c" if stat.S_ISCHR(there.st_mode) else "b"
            major, minor = os.major(there.st_rdev), os.minor(there.st_rdev)
        else:
            raise _missing(host, "there is no such device", found)
        # What the machine is given is for its people: groups of the host mean nothing inside, so
        # a node is everybody's unless the file says otherwise.
        self.nodes[node.path] = Node(
            path=node.path,
            kind="c" if kind == "u" else kind,
            major=major,
            minor=minor,
            host=host if there else None,
            mode=0o666 if node.file_mode is None else node.file_mode & 0o777,
            uid=node.uid or 0,
            gid=node.gid or 0,
            permissions=node.permissions or "rwm",
        )

    def _file(self, mount: BindMount, found: Found) -> None:
        if mount.type not in (None, "", "none", *BIND) and not set(BIND) & set(mount.options):
            self._note(f"{found.name}: {mount.container_path} is not mounted ({mount.type})")
            return
        if not _status(self.root, mount.host_path):
            raise _missing(mount.host_path, "it is not there", found)
        place = mount.container_path
        self.files[place] = File(mount.host_path, place, tuple(mount.options))


def _status(root: Path, path: str) -> os.stat_result | None:
    try:
        return (root / path.lstrip("/")).stat()
    except OSError:
        return None


def _missing(path: str, why: str, found: Found) -> DsvmError:
    told = f"{found.file} names it" if found.file else "dsvm looked for it"
    fresh = f"after a change of the driver, `{nvidia.REFRESH}`"
    other = "let its maker's tool write that file anew"
    return DsvmError(
        f"the device `{found.name}` cannot be given: {path}",
        cause=f"{why}; {told}",
        remedy=fresh if found.spec.kind == nvidia.KIND else other,
    )
