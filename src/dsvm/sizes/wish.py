"""A size that a person names, as `[size]` of dsvm.toml says it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from dsvm.definition import format_bytes, read
from dsvm.definition.model import Accelerator
from dsvm.definition.sizes import MIB
from dsvm.errors import UsageError
from dsvm.home import Home
from dsvm.sizes.model import Size
from dsvm.sizes.table import load_sizes
from dsvm.whole import write_whole

ADVISED = "advised"
"""In place of a name: what the last `dsvm advise` in this folder came to."""


class Wish(BaseModel):
    """The keys of `[size]`; a size without a GPU is one for the CPU."""

    model_config = ConfigDict(frozen=True)

    cpus: int
    memory: str
    accelerator: Accelerator

    @classmethod
    def of(cls, size: Size) -> Wish:
        memory = format_bytes(size.memory // MIB * MIB)
        return cls(cpus=size.cpus, memory=memory, accelerator=size.kind)

    def keys(self) -> dict[str, int | str | list[str]]:
        return {"cpus": self.cpus, "memory": self.memory, "accelerator": self.accelerator}


_ADVISED = TypeAdapter(dict[str, Wish])


def wish_named(home: Home, name: str, definition: Path) -> Wish:
    """The size of that name, for the machine of this dsvm.toml. Raises `UsageError` without one."""
    if name == ADVISED:
        return _advised(home, definition.parent)
    return Wish.of(load_sizes(home, read(definition)).named(name))


def keep_advised(home: Home, folder: Path, wish: Wish) -> None:
    """What `advised` means in this folder from now on."""
    known = _read(home)
    known[str(folder.absolute())] = wish
    home.sizes.mkdir(parents=True, exist_ok=True)
    write_whole(_file(home), _ADVISED.dump_json(known, indent=1))


def _advised(home: Home, folder: Path) -> Wish:
    told = _read(home).get(str(folder.absolute()))
    if told is None:
        raise UsageError(
            f"nothing was advised in {folder}", remedy="`dsvm advise FILE.py` there first"
        )
    return told


def _read(home: Home) -> dict[str, Wish]:
    file = _file(home)
    return _ADVISED.validate_json(file.read_bytes()) if file.exists() else {}


def _file(home: Home) -> Path:
    return home.sizes / "advised.json"
