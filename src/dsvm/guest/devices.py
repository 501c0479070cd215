"""Devices of the host that the machine was given: their libraries in the linker's cache, their
links and variables; and away with what an earlier start was given.

The engine tells it in /run/dsvm/devices.json, which is there as long as the devices are. Mounts
are made before the machine's first process, on files that the engine put there: empty ones, which
stay on the disk when nothing is mounted on them any more.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from dsvm.guest.outcome import Outcome
from dsvm.guest.places import DEVICES, RUN
from dsvm.guest.system import GuestError, folder, mounts, run, write

TOLD = RUN / "devices.json"
# Folders as deep as /usr/lib are the system's, empty or not.
DEPTH = 3
LINKER = Path("/etc/ld.so.conf.d/00-dsvm-devices.conf")


class Told(TypedDict):
    """`links`: link -> what it says; `placed`: where files and folders of the host are seen."""

    variables: dict[str, str]
    folders: list[str]
    links: dict[str, str]
    placed: list[str]


def apply(
    out: Outcome, told_file: Path = TOLD, record: Path = DEVICES, linker: Path = LINKER
) -> dict[str, str]:
    """Make it so; the variables that programs shall have. What fails is added to the errors."""
    told, before = _read(told_file), _read(record)
    if told == before == _nothing():
        return {}
    folder(record.parent, mode=0o711)
    # Both, until it is done: what a kill leaves is found by the next start.
    _save(record, _both(before, told))
    _forget(before, told)
    for link, says in told["links"].items():
        _link(Path(link), says, out)
    try:
        _linker(told["folders"], linker)
    except (GuestError, OSError) as failed:
        out.errors.append(f"libraries of the host's devices are not found: {failed}")
    _save(record, told)
    return told["variables"]


def _forget(before: Told, told: Told) -> None:
    """Take back links and the empty files that mounts lay on."""
    for link, says in before["links"].items():
        place = Path(link)
        if told["links"].get(link) != says and place.is_symlink() and str(place.readlink()) == says:
            place.unlink()
    there = mounts()
    for point in before["placed"]:
        place = Path(point)
        if point in told["placed"] or str(place.resolve()) in there or place.is_symlink():
            continue
        if place.is_file() and not place.stat().st_size:
            _remove(place)
        elif place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _remove(place: Path) -> None:
    """A file with the link that ldconfig made to it, and the folders that are empty then."""
    place.unlink()
    for link in place.parent.iterdir():
        if link.is_symlink() and str(link.readlink()) == place.name:
            link.unlink()
    for above in place.parents:
        if len(above.parts) <= DEPTH or any(above.iterdir()):
            return
        above.rmdir()


def _link(place: Path, says: str, out: Outcome) -> None:
    if place.is_symlink() and str(place.readlink()) == says:
        return
    if place.is_symlink() or place.exists():
        out.notes.append(f"{place} is the machine's own, not that of the host's device")
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(says)


def _linker(folders: list[str], file: Path) -> None:
    """ldconfig(8) also makes the links by which libraries are known, and removes dangling ones."""
    if folders:
        write(file, "".join(f"{one}\n" for one in folders))
    else:
        file.unlink(missing_ok=True)
    run("ldconfig")


def _both(one: Told, other: Told) -> Told:
    return Told(
        variables=other["variables"],
        folders=other["folders"],
        links={**one["links"], **other["links"]},
        placed=sorted({*one["placed"], *other["placed"]}),
    )


def _nothing() -> Told:
    return Told(variables={}, folders=[], links={}, placed=[])


def _read(file: Path) -> Told:
    try:
        return Told(**{**_nothing(), **json.loads(file.read_text())})
    except (OSError, ValueError, TypeError):
        return _nothing()


def _save(file: Path, told: Told) -> None:
    write(file, json.dumps(told, indent=1) + "\n")
