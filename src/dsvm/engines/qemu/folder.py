"""One folder of the host shown to a virtual machine: a process that runs `virtiofsd` as its owner.

Run as `python -m dsvm.engines.qemu.folder ro|rw OWNER GROUP SOCKET ALIVE SHOWN PROGRAM...` in the
folder. SOCKET is the descriptor of a listening socket to which QEMU connects, ALIVE that of a pipe
whose other end QEMU has: both end with the machine. PROGRAM serves what lies at SHOWN.

It runs in a user and a mount namespace of its own. There the folder's owner is the machine's login
and nobody else has a name, so what the login writes belongs to that owner, and no other user of
the machine, root included, can create files; read-only is a property of the mount.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from dsvm import linux
from dsvm.namespaces import first_group

LOGIN_ID = 1000
"""Both ids of the machine's login `ds`."""


def main(
    mode: str, owner: int, group: int, listening: int, alive: int, shown: Path, program: list[str]
) -> int:
    become(owner, group)
    show(Path(), shown, read_only=mode == "ro")
    os.chdir("/")
    linux.keep_capabilities()  # of this namespace only: it answers as whoever asks
    dying = ["setpriv", "--pdeathsig", "KILL", "--"]
    served = subprocess.Popen([*dying, *program], pass_fds=(listening,))
    os.close(listening)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    wake, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(told)
    while served.poll() is None:
        if alive in select.select([alive, wake], [], [])[0]:
            served.kill()
            served.wait()
        else:
            os.read(wake, 64)
    return served.returncode


def become(owner: int, group: int) -> None:
    """The folder's owner, who is the login in a new user namespace, and nobody else there.

    An ordinary user stays who they are. virtiofsd drops what groups it has besides: root has
    done so before; an ordinary user may only where newgidmap has mapped a group of a range, too.
    """
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(owner, owner, owner)
        linux.own_proc_files()
    uid, gid = os.getuid(), os.getgid()
    ids = f"{LOGIN_ID} {gid} 1"
    if not os.getgroups():
        linux.unshare(linux.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(ids)
    else:
        words = [str(os.getpid()), *ids.split(), str(LOGIN_ID + 1), str(first_group()), "1"]
        outside = ["sh", "-c", 'read go && exec newgidmap "$@"', "sh", *words]
        mapper = subprocess.Popen(outside, stdin=subprocess.PIPE)
        linux.unshare(linux.CLONE_NEWUSER)
        mapper.communicate(b"\n")
        if mapper.returncode != 0:
            raise PermissionError("newgidmap did not map the folder's group")
    Path("/proc/self/uid_map").write_text(f"{LOGIN_ID} {uid} 1")


def show(source: Path, shown: Path, *, read_only: bool) -> None:
    """Mount the folder at `shown`, seen by nobody else."""
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("none", Path("/"), flags=linux.MS_REC | linux.MS_PRIVATE)
    attributes = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
    tree = linux.clone_mount(source, recursive=True)
    linux.set_mount(
        tree, attributes | (linux.MOUNT_ATTR_RDONLY if read_only else 0), recursive=True
    )
    linux.place_mount(tree, shown)
    os.close(tree)


if __name__ == "__main__":
    owner, group, listening, alive = map(int, sys.argv[2:6])
    place = Path(sys.argv[6])
    sys.exit(main(sys.argv[1], owner, group, listening, alive, place, sys.argv[7:]))
