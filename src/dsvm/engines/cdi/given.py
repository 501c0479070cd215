"""What a container is given of its host, as plain data: no file is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dsvm.guest.devices import Told


@dataclass(frozen=True)
class Node:
    """A device: `path` inside; `kind` is `c` or `b`. `host`: the node that stands for it, if any.

    `permissions` are those of a control group: of `r`, `w`, `m`. Owner and group are the
    machine's own ids.
    """

    path: str
    kind: str
    major: int
    minor: int
    host: str | None = None
    mode: int = 0o666
    uid: int = 0
    gid: int = 0
    permissions: str = "rwm"

    @property
    def rule(self) -> str:
        """As the control group of devices takes it: cgroup-v1/devices.rst."""
        return f"{self.kind} {self.major}:{self.minor} {self.permissions}"


@dataclass(frozen=True)
class File:
    """A file, folder or socket of the host, seen inside at `target`."""

    source: str
    target: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """`variables`, `folders` (the linker's) and `links` (link -> what it says) are told inside.

    `notes`: what of it was left out.
    """

    nodes: tuple[Node, ...] = ()
    files: tuple[File, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def told(self) -> Told:
        """What the machine's own system has to do for it."""
        return Told(
            variables=dict(self.variables),
            folders=list(self.folders),
            links=dict(self.links),
            placed=[file.target for file in self.files],
        )


NOTHING = Given()


def from_data(data: Mapping[str, Any]) -> Given:
    """As `dataclasses.asdict` made it, by way of JSON."""
    files = tuple(File(**{**one, "options": tuple(one["options"])}) for one in data["files"])
    return Given(
        nodes=tuple(Node(**one) for one in data["nodes"]),
        files=files,
        variables=data["variables"],
        folders=tuple(data["folders"]),
        links=data["links"],
        notes=tuple(data["notes"]),
    )
