"""What an ordinary user may do on this host by user namespaces: build, and run a machine's helpers.

Found by trying the very calls that a build makes. Hosts forbid them in several ways, each with its
own remedy; which one it was is read from the kernel's settings only after a try has failed.
"""

from __future__ import annotations

import os
import pwd
import shlex
from dataclasses import dataclass
from pathlib import Path

from dsvm.errors import DsvmError
from dsvm.programs import ProgramFailed, run

TRY_TIMEOUT_S = 20.0
SETTINGS = Path("/proc/sys")
KEEP = "write the same to a file in /etc/sysctl.d to keep it"
RANGE = 65536
FIRST_ID = 100_000
# What `dsvm.build.os_tree` and `dsvm.build.sandbox` begin with.
BUILD = ("unshare", "--map-root-user", "--map-auto", "--mount", "--pid", "--fork", "--mount-proc")
BARE = ("unshare", "--map-root-user", "--mount", "true")
SANDBOX = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true")


@dataclass(frozen=True)
class Refusal:
    """Why the host does not let this user have user namespaces, and what changes that."""

    reason: str
    remedy: str


def refusal() -> Refusal | None:
    """None when a build as this user will find what it needs."""
    for argv in ((*BUILD, "true"), SANDBOX):
        try:
            run(argv, timeout_s=TRY_TIMEOUT_S)
        except ProgramFailed as failed:
            return _explained(failed)
    return None


def require() -> None:
    """Raise `DsvmError` when this is an ordinary user whom the host lets have no namespaces."""
    if os.geteuid() == 0:
        return
    if found := refusal():
        raise DsvmError(
            "this host lets no ordinary user build or run a machine",
            cause=found.reason,
            remedy=f"{found.remedy}; or run dsvm as root",
        )


def first_group() -> int:
    """The first group id of this user's range in /etc/subgid. Raises `LookupError`."""
    for owner, first, _ in _ranges("/etc/subgid"):
        if owner in _names():
            return int(first)
    raise LookupError("no range of ids in /etc/subgid")


def _explained(failed: ProgramFailed) -> Refusal:
    said = failed.cause or failed.what
    for name, off, value in (
        ("user.max_user_namespaces", "0", "15000"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ):
        if _setting(name) == off:
            return Refusal(
                f"user namespaces are forbidden ({name} = {off}): {said}",
                f"sudo sysctl -w {name}={value}, and {KEEP}",
            )
    if failed.argv[0] == BUILD[0] and _works(BARE):
        return _no_range(said)
    return Refusal(
        f"user namespaces are forbidden: {said}",
        "in a container, start it so that they are allowed (its seccomp profile forbids them)",
    )


def _no_range(said: str) -> Refusal:
    """A namespace can be made, but holds no other ids than the user's own."""
    user = min(_names(), key=str.isdecimal)
    missing = [file for file in ("/etc/subuid", "/etc/subgid") if not _has_range(file)]
    if not missing:
        return Refusal(
            f"newuidmap does not map the ids of /etc/subuid: {said}",
            "sudo apt-get install --reinstall uidmap: newuidmap has lost its rights",
        )
    first = max(_next_free("/etc/subuid"), _next_free("/etc/subgid"))
    ids = f"{first}-{first + RANGE - 1}"
    return Refusal(
        f"user {user} has no range of ids in {' and '.join(missing)}",
        f"sudo usermod --add-subuids {ids} --add-subgids {ids} {shlex.quote(user)}",
    )


def _works(argv: tuple[str, ...]) -> bool:
    try:
        run(argv, timeout_s=TRY_TIMEOUT_S)
    except ProgramFailed:
        return False
    return True


def _setting(name: str) -> str:
    try:
        return (SETTINGS / name.replace(".", "/")).read_text().strip()
    except OSError:
        return ""


def _has_range(file: str) -> bool:
    return any(line[0] in _names() for line in _ranges(file))


def _names() -> set[str]:
    """What this user is called in /etc/subuid: by name or by number."""
    uid = os.getuid()
    try:
        return {str(uid), pwd.getpwuid(uid).pw_name}
    except KeyError:
        return {str(uid)}


def _next_free(file: str) -> int:
    ends = [int(first) + int(count) for _, first, count in _ranges(file)]
    return max(ends, default=FIRST_ID)


def _ranges(file: str) -> list[tuple[str, str, str]]:
    """The lines of subuid(5): owner, first id, count."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return []
    words = [line.strip().split(":") for line in lines]
    return [
        (one[0], one[1], one[2])
        for one in words
        if len(one) == 3 and one[1].isdigit() and one[2].isdigit()
    ]
