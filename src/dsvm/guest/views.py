"""A user's own view of an environment, in the mount namespaces of that user's sessions.

PAM gives every session of a user a mount namespace of its own, in which the view is bound over the
environment's mountpoint. Views are mounted at a user's first login after a start, not before: most
of a class is not there. When a view becomes another mount, running sessions must be told.
"""

from __future__ import annotations

import os
from pathlib import Path

from dsvm.guest.places import VIEWS
from dsvm.guest.system import GuestError, mounts, run

MAIN = Path("/proc/1/ns/mnt")
OWN = Path("/proc/self/ns/mnt")


def must_be_root(argv: list[str]) -> None:
    """Raises `GuestError` unless root; goes on in the machine's own mount namespace.

    `sudo` leaves a user in the session's namespace, where a mount would be seen by nobody else.
    """
    if os.geteuid() != 0:
        raise GuestError("this needs root: type `sudo dsvm-guest ...`")
    if OWN.readlink() != MAIN.readlink():
        command = ["/usr/bin/dsvm-guest", *argv]
        os.execv("/usr/bin/nsenter", ["nsenter", f"--mount={MAIN}", "--", *command])


def mounted() -> set[str]:
    """The users that have views now."""
    return {Path(point).name for point in mounts() if Path(point).parent.parent == VIEWS}


def forget() -> None:
    """Let the next login of everybody look again whether all views are there."""
    run("systemctl", "--no-block", "stop", "dsvm-view@*.service")


def rebind(view: Path, point: Path, tag: str, uid: int) -> None:
    """Show the mount that is now at `view` in the user's running sessions.

    Only where `point` is such a view (its source is `tag`): never in the machine's own namespace,
    in which services of that user run, too.
    """
    for pid in _sessions(point, tag, uid):
        enter = ("nsenter", f"--mount=/proc/{pid}/ns/mnt")
        run(*enter, "umount", "--lazy", point, check=False)
        run(*enter, "mount", "--bind", view, point, check=False)


def _sessions(point: Path, tag: str, uid: int) -> list[str]:
    """One process of each of the user's mount namespaces that has the view at `point`."""
    found: dict[Path, str] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid != uid:
                continue
            space = (process / "ns/mnt").readlink()
            if space not in found and _source(process, point) == tag:
                found[space] = process.name
        except OSError:
            continue
    found.pop(OWN.readlink(), None)
    return list(found.values())


def _source(process: Path, point: Path) -> str | None:
    there = mounts(process / "mountinfo").get(str(point))
    return there[0] if there else None
