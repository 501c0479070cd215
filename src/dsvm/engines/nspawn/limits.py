"""A limit of the host that the machines of one user share: inotify(7) instances.

Every process that waits for files to change takes one: systemd, udev, journald and each server of
JupyterLab do. The kernel counts those of a machine for the user who started it, beside its own
count inside (`ucounts` of user namespaces), and hosts come with a limit of 128.
"""

from __future__ import annotations

from pathlib import Path

from dsvm.errors import DsvmError
from dsvm.guest.inotify import Inotify, LimitReached
from dsvm.namespaces import KEEP

# Of this user namespace. On the host itself fs.inotify's is the same limit by another name, which
# root may set without CAP_SYS_RESOURCE.
SETTING = "user.max_inotify_instances"
FILE = Path("/proc/sys/user/max_inotify_instances")
OF_HOST = Path("/proc/sys/fs/inotify/max_user_instances")
# A machine at work was seen with ten; others may be on their way up.
WANTED = 32
RAISED = 1024


def room() -> bool:
    """Whether one more machine finds the inotify instances it needs: takes them for a moment."""
    taken: list[Inotify] = []
    try:
        for _ in range(WANTED):
            taken.append(Inotify())
    except LimitReached:
        return False
    finally:
        for one in taken:
            one.close()
    return True


def limit() -> int:
    """How many inotify instances a user of this host may have."""
    return int(FILE.read_text())


def set_limit(count: int) -> None:
    """Raises `OSError` where this user may not."""
    try:
        FILE.write_text(f"{count}\n")
    except PermissionError:
        OF_HOST.write_text(f"{count}\n")


def make_room() -> str | None:
    """Raise the limit for one more machine, until the host restarts; says so, or None if it fits.

    Raises `DsvmError` when this host or what it runs in does not let it be raised.
    """
    if room():
        return None
    before, after = limit(), _more()
    try:
        set_limit(after)
    except OSError as refused:
        raise _full(f"{SETTING} is {before}; raising it: {refused.strerror}") from None
    if not room():
        raise _full(f"{SETTING} is {limit()} here, but a host around this one allows fewer")
    return f"{SETTING} was {before}, too few for one more machine: now {after}, until a restart"


def remedy() -> str:
    """What a person types to have more of them."""
    return f"sudo sysctl -w {SETTING}={_more()} on the host itself, and {KEEP}"


def _more() -> int:
    return max(RAISED, 2 * limit())


def _full(cause: str) -> DsvmError:
    return DsvmError(
        "no inotify instances are left for one more machine",
        cause=cause,
        remedy=f"{remedy()}; or stop another machine",
    )
