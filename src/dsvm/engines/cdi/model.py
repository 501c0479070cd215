"""One file of the Container Device Interface, up to version 1.1.0 of the specification.

As the specification demands, a file with a field that nobody knows is refused, for what it asks
for would be missing without a word.
"""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

NEWEST = (1, 1)
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")

_KIND = r"^[A-Za-z0-9.-]{1,253}/[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"


class Unreadable(Exception):
    """The file is none of the specification's; the text says why."""


def _known(version: str) -> str:
    found = _VERSION.fullmatch(version)
    if not found:
        raise ValueError("is no version like 0.6.0")
    if (int(found[1]), int(found[2])) > NEWEST:
        raise ValueError(f"is newer than {NEWEST[0]}.{NEWEST[1]}, the newest that dsvm reads")
    return version


def _absolute(path: str) -> str:
    if not path.startswith("/") or ".." in PurePosixPath(path).parts or not path.isprintable():
        raise ValueError("is no absolute path")
    return path


def _assignment(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*=[^\0\n\"]*", text):
        raise ValueError("is no NAME=VALUE")
    return text


Version = Annotated[str, AfterValidator(_known)]
Place = Annotated[str, AfterValidator(_absolute)]
Assignment = Annotated[str, AfterValidator(_assignment)]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True
    )


class DeviceNode(_Strict):
    """`path` inside; `host_path` outside is the same unless it is said."""

    path: Place
    host_path: Place | None = None
    type: Literal["b", "c", "u", "p"] | None = None
    major: int | None = None
    minor: int | None = None
    file_mode: int | None = None
    permissions: str | None = Field(default=None, pattern=r"^[rwm]{1,3}$")
    uid: int | None = None
    gid: int | None = None


class BindMount(_Strict):
    """A mount of OCI's; `type` is a word without meaning where the options say bind."""

    host_path: str
    container_path: Place
    type: str | None = None
    options: list[str] = []


class Hook(_Strict):
    """A program that a container's runtime would start."""

    hook_name: str
    path: Place
    args: list[str] = []
    env: list[str] = []
    timeout: int | None = None


class Edits(_Strict):
    """What a device changes of a container."""

    env: list[Assignment] = []
    device_nodes: list[DeviceNode] = []
    net_devices: list[dict[str, Any]] = []
    mounts: list[BindMount] = []
    hooks: list[Hook] = []
    intel_rdt: dict[str, Any] | None = None
    additional_gids: list[int] = []


class Device(_Strict):
    """One device of a kind."""

    name: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$")
    annotations: dict[str, str] = {}
    container_edits: Edits = Edits()


class Spec(_Strict):
    """The whole file. `container_edits` count for each of its devices."""

    cdi_version: Version
    kind: str = Field(pattern=_KIND)
    annotations: dict[str, str] = {}
    devices: list[Device] = Field(min_length=1)
    container_edits: Edits = Edits()


def parse(text: str, *, as_json: bool = False) -> Spec:
    """Raises `Unreadable`."""
    try:
        data = json.loads(text) if as_json else yaml.safe_load(text)
        return Spec.model_validate(data)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        said = first["msg"].removeprefix("Value error, ")
        raise Unreadable(f"{place}: {said}") from None
    except (ValueError, yaml.YAMLError) as wrong:
        raise Unreadable(" ".join(str(wrong).split())) from None


def read(file: Path) -> Spec:
    """Raises `Unreadable`."""
    try:
        return parse(file.read_text(encoding="utf-8"), as_json=file.suffix == ".json")
    except (OSError, UnicodeDecodeError) as refused:
        raise Unreadable(str(refused)) from None
