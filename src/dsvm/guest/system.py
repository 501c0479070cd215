"""Files, mounts and programs, as the rest of the guest needs them."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from pathlib import Path


class GuestError(Exception):
    """Something in the machine is not as the seed demands; the text is for a person."""


def run(*argv: str | Path, check: bool = True, timeout_s: float = 120) -> str:
    """Run a program and return its stdout; raises `GuestError` with its last lines of stderr."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        if check:
            raise GuestError(f"`{' '.join(words)}`: {failed}") from None
        return ""
    if check and done.returncode != 0:
        tail = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise GuestError(f"`{' '.join(words)}` ended with {done.returncode}: {tail}")
    return done.stdout


def text(path: Path) -> str:
    """A small file's, stripped; nothing where it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def write(
    path: Path,
    text: str,
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    synced: bool = False,
) -> bool:
    """Write a file atomically, with `synced` also before a power cut; return whether its text was
    another one before.

    The secret parts of it are never readable by others, not even for a moment.
    """
    data = text.encode()
    try:
        same = not path.is_symlink() and path.read_bytes() == data
    except OSError:
        same = False
    if same:
        own(path, uid, gid, mode)
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        own(Path(name), uid, gid, mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


def own(path: Path, uid: int, gid: int, mode: int) -> None:
    """Owner and mode, changed only where they differ."""
    is_now = path.stat()
    if (is_now.st_uid, is_now.st_gid) != (uid, gid):
        os.chown(path, uid, gid)
    if is_now.st_mode & 0o7777 != mode:
        path.chmod(mode)


def own_home() -> Path:
    """Of the user who calls, whatever the variables say."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def folder(path: Path, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Path:
    """A folder that is there, with this owner and mode."""
    path.mkdir(parents=True, exist_ok=True)
    own(path, uid, gid, mode)
    return path


def mounts(table: Path = Path("/proc/self/mountinfo")) -> dict[str, tuple[str, str, str]]:
    """Mountpoint -> (source, type, options) of the topmost mount there; see proc_pid_mountinfo(5).

    The order of the lines says nothing of which is on top: a mount that comes from another
    namespace slips below those that are there. The topmost is nobody's parent at that point.
    """
    rows = [_row(line) for line in table.read_text(errors="replace").splitlines()]
    covered = {(parent, point) for _, parent, point, *_ in rows}
    return {
        point: (source, kind, options)
        for number, _, point, source, kind, options in rows
        if (number, point) not in covered
    }


def _row(line: str) -> tuple[str, str, str, str, str, str]:
    """Number, parent, mountpoint, source, type and options of one mount."""
    head, _, tail = line.partition(" - ")
    number, parent, _, _, point, flags, *_ = head.split(" ")
    kind, source, options = tail.split(" ")
    return (
        number,
        parent,
        _unescaped(point),
        _unescaped(source),
        kind,
        _unescaped(f"{flags},{options}"),
    )


def _unescaped(field: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, char)
    return field


def unmount(point: Path) -> None:
    """Take away every mount on that point, at once: who has files of it open keeps them."""
    while str(point) in mounts():
        run("umount", "--lazy", "--no-canonicalize", point)


def in_user_namespace() -> bool:
    """Root here is not root outside: overlays then need another kind of attributes."""
    fields = Path("/proc/self/uid_map").read_text().split()
    return fields[:3] != ["0", "0", "4294967295"]
