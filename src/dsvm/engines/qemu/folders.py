"""The folders of the host that a machine shows (`[mounts]`), by virtio-fs.

Each has a `dsvm.engines.qemu.folder` process, which starts before QEMU and ends with it. The
machine is told in its seed (`mounts.json`) what lies where; its guest mounts it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import dsvm
from dsvm import namespaces
from dsvm.engines.base import EngineMachine, Mount, Unusable
from dsvm.engines.qemu.places import Places
from dsvm.engines.sockets import reachable
from dsvm.errors import DsvmError

PROGRAM = "virtiofsd"
# Debian 13, Ubuntu, Fedora; Debian 12, where it comes with QEMU; Arch.
OF_QEMU = "/usr/lib/qemu/virtiofsd"
"""The one that QEMU had until 7.2, in C."""
PLACES = ("/usr/libexec/virtiofsd", OF_QEMU, "/usr/lib/virtiofsd")
SHOWN = "/tmp"
"""Where the folder lies in its mount namespace: a place that is everywhere and for everyone."""
TAG = "dsvm-{}"
SEED_FILE = "mounts.json"


def refusal() -> Unusable | None:
    """Why no folder of this host can be shown; None when it can."""
    if program() is None:
        as_root = "" if os.geteuid() == 0 else "sudo "
        return Unusable(
            f"[mounts] need {PROGRAM}, which is not installed",
            f"{as_root}apt-get install -y --no-install-recommends {PROGRAM}",
        )
    return None


def program() -> str | None:
    return next((place for place in PLACES if os.access(place, os.X_OK)), None)


def told(mounts: Sequence[Mount]) -> bytes:
    """What the guest is told; the words are those of `dsvm.guest.mounts`."""
    shown = [
        {"tag": TAG.format(number), "target": one.target, "read_only": one.read_only}
        for number, one in enumerate(mounts)
    ]
    return json.dumps(shown).encode()


@contextmanager
def served(machine: EngineMachine, places: Places) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """QEMU's options for the machine's folders, and the descriptors that it inherits.

    What serves them ends with QEMU, or with this `with` where QEMU did not start. Raises
    `DsvmError`.
    """
    if not machine.mounts:
        yield [], ()
        return
    found = program()
    assert found is not None
    argv = _shared_memory(machine.size.memory)
    with ExitStack() as held:
        ours, theirs = os.pipe()
        held.callback(os.close, theirs)
        with os.fdopen(ours, "rb"), places.log.open("ab") as log:
            for number, mount in enumerate(machine.mounts):
                _serve(found, mount, places.engine / _socket(number), ours, log)
                argv += _device(number)
        yield argv, (theirs,)


def sweep(places: Places) -> None:
    for left in places.engine.glob(_socket("*")):
        left.unlink(missing_ok=True)


def _socket(number: object) -> str:
    return f"folder-{number}"


def _serve(found: str, mount: Mount, place: Path, alive: int, log: IO[bytes]) -> None:
    if not mount.source.is_dir():
        raise DsvmError(
            f"the folder {mount.source} cannot be seen in the machine at {mount.target}",
            cause="there is no such folder on this host",
            remedy="create it, or change [mounts] in dsvm.toml",
        )
    namespaces.require()
    owner, mode = mount.source.stat(), "ro" if mount.read_only else "rw"
    with socket.socket(socket.AF_UNIX) as listening:
        with reachable(place) as path:
            listening.bind(path)
        place.chmod(0o600)
        listening.listen(1)
        descriptors = (listening.fileno(), alive)
        words = (mode, owner.st_uid, owner.st_gid, *descriptors, SHOWN)
        serve = [*map(str, words), *_argv(found, listening.fileno())]
        subprocess.Popen(
            [sys.executable, "-P", "-m", "dsvm.engines.qemu.folder", *serve],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=mount.source,
            env={**os.environ, "PYTHONPATH": str(Path(dsvm.__file__).parents[1])},
            pass_fds=descriptors,
            start_new_session=True,
        ).returncode = 0  # it is meant to outlive this process, and is nobody's zombie then


def _argv(found: str, listening: int) -> list[str]:
    """The command line of QEMU's own one, or of the project that came after it."""
    words = [found, f"--fd={listening}", "--rlimit-nofile=0"]
    if found == OF_QEMU:
        return [*words, "-f", "-o", f"source={SHOWN},sandbox=chroot,cache=auto"]
    # As anyone but root it only takes a namespace, in which it knows itself and nobody else.
    return [*words, f"--shared-dir={SHOWN}", "--sandbox=namespace", "--cache=auto"]


def _shared_memory(size: int) -> list[str]:
    """The machine's memory, where what serves the folders reads and writes it."""
    memory = f"memory-backend-memfd,id=memory,size={size},share=on"
    return ["-object", memory, "-machine", "memory-backend=memory"]


def _device(number: int) -> list[str]:
    name = _socket(number)
    return [
        *("-chardev", f"socket,id={name},path={name}"),
        *("-device", f"vhost-user-fs-pci,chardev={name},tag={TAG.format(number)}"),
    ]
