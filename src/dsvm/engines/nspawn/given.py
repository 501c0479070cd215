"""Devices of the host in a machine: found by CDI files before its start, then laid out for nspawn.

<work>/nodes/N    a device node of the machine's own, on a file system where nodes count
<work>/given/N    a file, folder or socket of the host
<work>/told       what the guest does for them, as dsvm.guest.devices.Told
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath

from dsvm import linux
from dsvm.engines.base import EngineMachine, Unusable
from dsvm.engines.cdi.given import NOTHING, File, Given, Node
from dsvm.engines.nspawn import mounts
from dsvm.engines.nspawn.command import Work
from dsvm.errors import DsvmError
from dsvm.guest.gpus import gpus

ATTRIBUTES = {
    "ro": linux.MOUNT_ATTR_RDONLY,
    "nosuid": linux.MOUNT_ATTR_NOSUID,
    "nodev": linux.MOUNT_ATTR_NODEV,
    "noexec": linux.MOUNT_ATTR_NOEXEC,
}
KINDS = {"c": stat.S_IFCHR, "b": stat.S_IFBLK}
LINKS_MOST = 40


def wanted(machine: EngineMachine, root: Path = Path("/")) -> Given:
    """What the machine is given. Raises `DsvmError` where a device that it names cannot be.

    Without names it gets NVIDIA's GPUs, or a note why not.
    """
    from dsvm.engines.cdi.registry import give

    if machine.devices is not None:
        return give(machine.devices, root)
    if machine.size.accelerator == "cpu" or not has_gpu(root):
        return NOTHING
    refusal = refused((), root)
    if refusal is None:
        return give(_all(), root)
    remedy = f"; {refusal.remedy}" if refusal.remedy else ""
    return Given(notes=(f"the GPU is not given to the machine: {refusal.reason}{remedy}",))


def refused(names: tuple[str, ...], root: Path = Path("/")) -> Unusable | None:
    """Why these devices, or NVIDIA's GPUs if there are no names, cannot be given; else None."""
    from dsvm.engines.cdi.registry import give

    try:
        give(names or _all(), root)
    except DsvmError as why:
        return Unusable(f"{why.what}: {why.cause}" if why.cause else why.what, why.remedy)
    return None


def has_gpu(root: Path = Path("/")) -> bool:
    """Whether this host has one of NVIDIA's."""
    return any(gpu.vendor == "NVIDIA" for gpu in gpus(root))


def place(given: Given, work: Work, tree: Path, uid_base: int | None) -> None:
    """Lay all of it out. Raises `OSError`."""
    if given.nodes:
        _nodes(given.nodes, work, uid_base or 0)
    for number, file in enumerate(given.files):
        _file(file, work.given(number))
        make_target(tree, file.target, folder=Path(file.source).is_dir())
    if given.told() != NOTHING.told():
        work.told.write_text(json.dumps(given.told()), encoding="utf-8")
        work.told.chmod(0o644)


def target_in(tree: Path, target: str) -> str:
    """Where `target` really is, links of the machine's own followed: by names alone, for nothing
    of the machine runs yet. Raises `OSError` when they never end."""
    todo, at, links = list(PurePosixPath(target).parts[1:]), PurePosixPath("/"), 0
    while todo:
        name = todo.pop(0)
        if name == "..":
            at = at.parent
            continue
        place = tree / str(at / name).lstrip("/")
        if not place.is_symlink():
            at /= name
            continue
        links += 1
        if links > LINKS_MOST:
            raise OSError(40, f"too many links on the way to {target}")
        says = PurePosixPath(place.readlink())
        todo = [part for part in says.parts if part != "/"] + todo
        at = PurePosixPath("/") if says.is_absolute() else at
    return str(at)


def make_target(tree: Path, target: str, *, folder: bool) -> None:
    """Make what is mounted on, owned by the machine's root: nspawn would make it a stranger's.

    What lies in /run or /dev is in memory, and nspawn's to make.
    """
    real = PurePosixPath(target_in(tree, target))
    if len(real.parts) < 2 or real.parts[1] in ("run", "dev", "proc", "sys"):
        return
    mounts.make_place(tree, str(real if folder else real.parent))
    place = tree / str(real).lstrip("/")
    if not folder and not place.exists():
        with suppress(FileExistsError):
            owner = place.parent.stat()
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
            os.chown(place, owner.st_uid, owner.st_gid)


def binds(given: Given, work: Work) -> list[tuple[Path, str]]:
    """What is bound where, once it is laid out."""
    nodes = [(work.node(number), node.path) for number, node in enumerate(given.nodes)]
    files = [
        (work.given(number), target_in(work.tree, file.target))
        for number, file in enumerate(given.files)
    ]
    return nodes + files


def _nodes(nodes: tuple[Node, ...], work: Work, base: int) -> None:
    folder = work.node(0).parent
    folder.mkdir()
    linux.mount("tmpfs", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NOEXEC, "mode=755")
    for number, node in enumerate(nodes):
        mine = work.node(number)
        try:
            os.mknod(mine, KINDS[node.kind] | node.mode, os.makedev(node.major, node.minor))
        except PermissionError:  # in a container of its own: the host's node as it is
            if node.host is None:
                raise
            mine.touch()
            linux.mount(node.host, mine, flags=linux.MS_BIND)
            continue
        mine.chmod(node.mode)
        os.chown(mine, base + node.uid, base + node.gid)


def _file(file: File, place: Path) -> None:
    source = Path(file.source).resolve()
    place.parent.mkdir(exist_ok=True)
    if source.is_dir():
        place.mkdir()
    else:
        place.touch()
    attributes = linux.MOUNT_ATTR_NOSUID
    for option in file.options:
        attributes |= ATTRIBUTES.get(option, 0)
    tree = linux.clone_mount(source, recursive=source.is_dir())
    try:
        linux.set_mount(tree, attributes, recursive=source.is_dir())
        linux.place_mount(tree, place)
    finally:
        os.close(tree)


def _all() -> tuple[str, ...]:
    from dsvm.engines.cdi.nvidia import ALL

    return (ALL,)
