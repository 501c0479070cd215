"""Small true records for the tests of this room."""

from __future__ import annotations

from pathlib import Path

from dsvm.build.model import Image, Layer
from dsvm.definition.model import Definition
from dsvm.engines.base import Size
from dsvm.home import Home
from dsvm.lock.model import Lock, LockedEnvironment, OsPackage, OsTree, PythonPackage
from dsvm.machines.machine import Machine
from dsvm.machines.model import MachineRecord
from dsvm.machines.plan import Wish
from dsvm.machines.size import to_record
from dsvm.store import Store

SIZE = Size(2, 2 << 30, 40 << 30)


def deb(name: str, version: str = "1.0") -> OsPackage:
    return OsPackage(
        name=name,
        version=version,
        architecture="amd64",
        sha256=f"{name}-{version}",
        size=1,
        source="debian/trixie",
        path=f"pool/{name}.deb",
    )


def tree(*packages: OsPackage) -> OsTree:
    return OsTree(suite="trixie", roots=tuple(one.name for one in packages), packages=packages)


def environment(name: str, *pins: str, interpreter: str | None = None) -> LockedEnvironment:
    wheels = tuple(
        PythonPackage(
            name=pin.partition("==")[0],
            version=pin.partition("==")[2],
            file=f"{pin}.whl",
            sha256=pin,
            size=1,
            source="pypi",
        )
        for pin in pins
    )
    return LockedEnvironment(
        name=name,
        variant="cpu",
        python="3.13",
        interpreter=interpreter,
        requirements=(),
        packages=wheels,
        source="host",
        why="",
    )


def lock(
    packages: OsTree,
    *environments: LockedEnvironment,
    base: str = "debian-13",
    interpreters: dict[str, OsTree] | None = None,
) -> Lock:
    return Lock(
        version=1,
        request="r",
        base=base,
        architecture="amd64",
        os=packages,
        tools_tree=tree(),
        interpreters=interpreters or {},
        environments=environments,
        npm=(),
        artifacts=(),
    )


def wish(
    locked: Lock,
    definition: Definition | None = None,
    tools: dict[str, tuple[tuple[str, ...], str | None]] | None = None,
    size: Size = SIZE,
    ports: tuple[int, ...] = (),
) -> Wish:
    return Wish(definition or Definition(name="lab"), locked, size, tools or {}, frozenset(ports))


def machine(home: Home, name: str = "lab", **changes: object) -> Machine:
    """A machine with one layer in the store. It is not saved."""
    store = Store(home.store)
    digest, layer = store.put(name.encode() + b" disk"), store.put(b"layer")
    image = Image(
        id=f"{name}-id", base="debian-13", digest=digest, bytes=1, root_offset=1, layers=()
    )
    base = Layer(
        name="env-base-cpu",
        kind="environment",
        key="key-of-base",
        digest=layer,
        bytes=5,
        seconds=0,
        cached=False,
        mountpoint="/opt/dsvm/envs/base",
    )
    record = MachineRecord(
        name=name,
        engine="nspawn",
        folder=str(home.root / "project"),
        definition=f'name = "{name}"\n',
        lock=lock(tree(deb("git"))),
        image=image,
        layers=(base,),
        size=to_record(SIZE),
        ssh_port=22001,
        created_at=0,
    )
    return Machine(home, record.model_copy(update=changes))


def new_home(folder: Path) -> Home:
    return Home(folder / "home")
