"""An ordinary user of this host, for as long as a test needs one."""

from __future__ import annotations

import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dsvm.scratch import MEMORY, PREFIX

GONE_S = 20.0
_NO_SUCH_USER = 6  # userdel(8)


@contextmanager
def host_user(name: str, *options: str) -> Iterator[pwd.struct_passwd]:
    """A new user with a home and a range of user ids; `options` are those of useradd(8).

    What a killed run has left of the user is removed first.
    """
    _removed(name)
    subprocess.run(["useradd", "--create-home", *options, name], check=True)
    try:
        yield pwd.getpwnam(name)
    finally:
        _removed(name)


def _removed(name: str) -> None:
    """All of the user is gone: processes, home, folders for work in memory."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        return
    subprocess.run(["pkill", "-KILL", "-u", name], check=False)
    for folder in MEMORY.glob(f"{PREFIX}*/"):
        if folder.stat().st_uid == uid:
            subprocess.run(["rm", "-rf", folder], check=True)
    deadline = time.monotonic() + GONE_S
    argv = ["userdel", "--remove", name]
    while subprocess.run(argv, capture_output=True, check=False).returncode not in (
        0,
        _NO_SUCH_USER,
    ):
        assert time.monotonic() < deadline, f"the user {name} cannot be removed"
        time.sleep(0.2)
