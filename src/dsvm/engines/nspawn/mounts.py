"""Mounts of a machine: of folders with their owner translated, and into a running machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from dsvm import linux
from dsvm.engines.base import Mount
from dsvm.errors import DsvmError

LOGIN_ID = 1000
"""Both ids of the machine's login `ds`."""
FUSE = (10, 229)


def bind(source: Path, target: Path) -> None:
    """A plain bind mount of a folder or a file."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.touch()
    linux.mount(source, target, flags=linux.MS_BIND | linux.MS_REC)


def make_place(tree: Path, target: str) -> None:
    """Make the folders of a machine's file system that `target` lacks, owned as what they lie in.

    nspawn would make them the host's root's, a stranger inside. No link is followed, for it could
    lead out of the tree: what comes after it is left to nspawn.
    """
    place = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in PurePosixPath(target).parts[1:]:
            _enter(place, name)
    except OSError:
        return
    finally:
        os.close(place)


def _enter(place: int, name: str) -> None:
    """Let the descriptor be that of the folder `name` in it, which is made if it is not there."""
    owner, made = os.fstat(place), False
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=place)
        made = True
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
    if made:
        os.fchown(inner, owner.st_uid, owner.st_gid)
        os.fchmod(inner, 0o755)
    os.dup2(inner, place, inheritable=False)
    os.close(inner)


def make_fuse(node: Path) -> None:
    """A node of FUSE that everybody in the machine may open, as on any computer; the host's own
    may be root's alone. Without the kernel's FUSE, or where no nodes are made, there is none."""
    if "\tfuse\n" not in Path("/proc/filesystems").read_text():
        return
    node.parent.mkdir()
    linux.mount("tmpfs", node.parent, "tmpfs", linux.MS_NOSUID | linux.MS_NOEXEC, "mode=755")
    with suppress(PermissionError):
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(*FUSE))
        node.chmod(0o666)


def bind_folder(mount: Mount, target: Path, uid_base: int | None) -> str | None:
    """Bind a host's folder so that its owner is the machine's login; return a note where not.

    Only the owner is translated: what belongs to others shows as nobody's, and no other user of
    the machine, root included, can create files there. Raises `DsvmError` when it is no folder.
    """
    if not mount.source.is_dir():
        raise DsvmError(
            f"the folder {mount.source} cannot be seen in the machine at {mount.target}",
            cause="there is no such folder on this host",
            remedy="create it, or change [mounts] in dsvm.toml",
        )
    target.mkdir(parents=True)
    attributes = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
    if mount.read_only:
        attributes |= linux.MOUNT_ATTR_RDONLY
    owner = mount.source.stat()
    tree = linux.clone_mount(mount.source, recursive=True)
    try:
        linux.set_mount(tree, attributes, recursive=True)
        note = _translate(tree, owner, uid_base)
        linux.place_mount(tree, target)
    finally:
        os.close(tree)
    return f"{mount.target}: {note}" if note else None


def _translate(tree: int, owner: os.stat_result, uid_base: int | None) -> str | None:
    login = (uid_base or 0) + LOGIN_ID
    if (owner.st_uid, owner.st_gid) == (login, login):
        return None
    userns = user_namespace(f"{owner.st_uid} {login} 1", f"{owner.st_gid} {login} 1")
    try:
        linux.set_mount(tree, linux.MOUNT_ATTR_IDMAP, userns, recursive=True)
    except OSError as refused:
        why = f"its file system cannot translate owners ({refused.strerror})"
        return f"{why}: only what everyone may write can be written"
    finally:
        os.close(userns)
    return None


def user_namespace(uid_map: str, gid_map: str) -> int:
    """A descriptor of a new user namespace with these maps; it lives as long as that is open."""
    ready_r, ready_w = os.pipe()
    go_r, go_w = os.pipe()
    child = os.fork()
    if child == 0:
        _in_child(lambda: _wait_in_namespace(ready_w, go_r, close=(ready_r, go_w)))
    os.close(ready_w)
    os.close(go_r)
    try:
        if os.read(ready_r, 1) != b"1":
            raise OSError(1, "no user namespace can be made here")
        Path(f"/proc/{child}/uid_map").write_text(uid_map)
        Path(f"/proc/{child}/gid_map").write_text(gid_map)
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready_r)
        os.close(go_w)
        os.waitpid(child, 0)


def _wait_in_namespace(ready: int, go: int, close: tuple[int, ...]) -> None:
    for descriptor in close:
        os.close(descriptor)
    linux.unshare(linux.CLONE_NEWUSER)
    os.write(ready, b"1")
    os.read(go, 1)


def inject(
    leader: int, sources: Mapping[Path, Path], *, userns: bool, translate: bool = False
) -> None:
    """Show folders or files of ours, read-only, in the running machine: path inside -> ours.

    `leader` is the machine's first process, `userns` whether it has a user namespace; with
    `translate`, owners are shown as that namespace's. Raises `DsvmError`.
    """
    result_r, result_w = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(result_r)
        _in_child(lambda: _inject(leader, sources, userns, translate), report=result_w)
    os.close(result_w)
    with os.fdopen(result_r, "rb") as result:
        said = result.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if status != 0:
        names = ", ".join(map(str, sources))
        raise DsvmError(f"{names} could not be made visible in the running machine", cause=said)


def _inject(leader: int, sources: Mapping[Path, Path], userns: bool, translate: bool) -> None:
    trees = {target: linux.clone_mount(source) for target, source in sources.items()}
    spaces = Path(f"/proc/{leader}/ns")
    user = os.open(spaces / "user", os.O_RDONLY)
    mounts = os.open(spaces / "mnt", os.O_RDONLY)
    for tree in trees.values():
        linux.set_mount(tree, linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NODEV)
        if userns and translate:
            linux.set_mount(tree, linux.MOUNT_ATTR_IDMAP, user)
    if userns:
        linux.setns(user, linux.CLONE_NEWUSER)
    linux.setns(mounts, linux.CLONE_NEWNS)
    # From here on every path is the machine's own: a link in it leads nowhere else.
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    for target, tree in trees.items():
        if not target.exists():
            target.mkdir(parents=True)
        if not os.path.ismount(target):
            linux.place_mount(tree, target)


def _in_child(work: Callable[[], None], report: int | None = None) -> None:
    """Run `work` in a forked child and end it, whatever happens: never back into the caller."""
    status = 1
    try:
        work()
        status = 0
    except OSError as refused:
        if report is not None:
            with suppress(OSError):
                os.write(report, str(refused).encode())
    finally:
        os._exit(status)
