"""A machine's record on disk, enough for commands that do not start it."""

from __future__ import annotations

from pathlib import Path

from dsvm.build.model import Image
from dsvm.home import Home
from dsvm.lock.model import Lock, OsTree
from dsvm.machines.machine import Machine
from dsvm.machines.model import AppPage, MachineRecord, SizeRecord
from dsvm.machines.state import Machines

GIB = 1024**3
EMPTY = OsTree(suite="trixie", roots=(), packages=())


def a_machine(home: Path, name: str, folder: Path) -> Machine:
    """A stopped machine with one app."""
    lock = Lock(
        version=1,
        request="0" * 64,
        base="debian-13",
        architecture="amd64",
        os=EMPTY,
        tools_tree=EMPTY,
        interpreters={},
        environments=(),
        npm=(),
        artifacts=(),
    )
    image = Image(id="1" * 64, base="debian-13", digest="2" * 64, bytes=1, root_offset=0, layers=())
    record = MachineRecord(
        name=name,
        engine="nspawn",
        folder=str(folder),
        definition=f'name = "{name}"\nprofile = "starter"\n',
        lock=lock,
        image=image,
        layers=(),
        size=SizeRecord(cpus=1, memory=2 * GIB, disk=40 * GIB),
        tools=("git",),
        ssh_port=40022,
        apps={"jupyterlab": 40088},
        tokens={"jupyterlab": "secret"},
        pages={"jupyterlab": AppPage(inside=8888, path="/lab?token={token}", ready="/api")},
        created_at=0.0,
        notes=("root inside is root outside",),
    )
    return Machines(Home(home)).save(record)
