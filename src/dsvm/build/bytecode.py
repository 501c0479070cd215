"""Compiles a tree's Python files so that the same wheel gives the same bytes, once.

What a process has compiled before changes how it marshals the next file. So the modules of each
wheel are compiled in one order by a process of their own, the fork of one that has compiled
nothing, with PYTHONHASHSEED=0 and without what an environment runs at Python's start. The byte
code then depends on the wheel and on Python alone, and the store keeps it: the next environment
with that wheel, and this one after a change, take it from there.

For that it names its source by a path within the environment; Python puts the real one in its
place when it loads a module (importlib, `_fix_co_filename`). It is checked by the source's time
(not its hash), which the frozen file system fixes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import BaseModel

from dsvm.build import keys
from dsvm.build.sandbox import Sandbox
from dsvm.lock.model import LockedEnvironment
from dsvm.programs import run
from dsvm.store import Store

SOURCES = ("bytecode.py", "compile_shard.py")
# A sandbox each, two of them at a time; how the wheels are dealt out does not change the bytes.
SHARDS = 4
# A third of all byte code is that of the packages' own tests, which hardly anyone runs.
_NEEDLESS = "tests"


class Compiled(BaseModel):
    """The store's record of a wheel's byte code: a tar."""

    digest: str


@dataclass(frozen=True)
class Group:
    """Modules (sorted, relative to the tree) that one process compiles. `key` is None when they
    belong to no wheel alone, so that nobody else could use their byte code."""

    key: str | None
    files: tuple[str, ...]


@dataclass(frozen=True)
class Compiler:
    """Compiles one environment's tree, which `sandbox` sees as `seen_as`, with `python` there.

    `python_key` says which Python that is, to the byte.
    """

    tree: Path
    seen_as: str
    python: str
    python_key: str
    sandbox: Sandbox
    store: Store
    log: Path

    def compile(self, environment: LockedEnvironment, compiled: Callable[[], None]) -> None:
        """`compiled` is called after each of the `SHARDS`. Files that are no valid Python
        (templates, tests of syntax errors) are left alone. Raises `ProgramFailed`."""
        groups = wheels(self.tree, environment, self.python_key)
        with ThreadPoolExecutor(2) as pool:
            had = pool.map(self._restored, groups)
            missing = [group for group, there in zip(groups, had, strict=True) if not there]
            for _ in pool.map(self._shard, range(SHARDS), self._dealt(missing)):
                compiled()
            list(pool.map(self._keep, missing))

    def _dealt(self, groups: Iterable[Group]) -> list[list[Group]]:
        """The groups in `SHARDS` lists of about the same size of sources."""

        def size(group: Group) -> int:
            return sum((self.tree / name).stat().st_size for name in group.files)

        sizes = {group: size(group) for group in groups}
        dealt: list[list[Group]] = [[] for _ in range(SHARDS)]
        for group in sorted(sizes, key=lambda one: -sizes[one]):
            min(dealt, key=lambda shard: sum(sizes[one] for one in shard)).append(group)
        return dealt

    def _shard(self, number: int, groups: Sequence[Group]) -> None:
        if not groups:
            return
        program = resources.files("dsvm.build").joinpath("compile_shard.py").read_text()
        names = self.tree.parent / f"shard-{number}"
        names.write_text("\n\n".join("\n".join(group.files) for group in groups))
        # Without `site`, which would import what the environment's *.pth files name.
        command = [self.python, "-S", "-c", program, self.seen_as, f"/build/scratch/{names.name}"]
        self.sandbox.run(command, log=self.log)

    def _restored(self, group: Group) -> bool:
        """Take the byte code from the store, if it is there."""
        known = self.store.layer(group.key, Compiled) if group.key else None
        if known is None or not self.store.sound(known.digest):
            return False
        tar: list[str | Path] = [
            "tar",
            "-xp",
            "--no-same-owner",
            "-C",
            self.tree,
            "-f",
            self.store.get(known.digest),
        ]
        run(["sh", "-c", 'umask 022 && exec "$@"', "restore", *tar], log=self.log)
        return True

    def _keep(self, group: Group) -> None:
        if group.key is None:
            return
        made = [name for file in group.files if (self.tree / (name := self._cached(file))).exists()]
        packed = self.tree.parent / f"{group.key}.tar"
        options = ["--owner=0", "--group=0", "--mtime=@0"]
        names = "\n".join(made).encode()
        run(["tar", "-c", "-C", self.tree, *options, "-f", packed, "-T", "-"], stdin=names)
        self.store.record_layer(group.key, Compiled(digest=self.store.put_file(packed, move=True)))

    def _cached(self, file: str) -> str:
        """As `importlib.util.cache_from_source` of that Python has it."""
        folder, _, name = file.rpartition("/")
        tag = Path(self.python).name.replace("python", "cpython-").replace(".", "")
        return f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"


def wheels(tree: Path, environment: LockedEnvironment, python_key: str) -> list[Group]:
    """All modules below `tree`, by the wheel that brought them."""
    modules = {path.relative_to(tree).as_posix(): path for path in tree.glob("lib/**/*.py")}
    left = {name for name, path in modules.items() if _NEEDLESS not in path.parts}
    recorded = {
        record.parent.name: left.intersection(_listed(record, tree))
        for record in tree.glob("lib/*/site-packages/*.dist-info/RECORD")
    }
    owners = Counter(name for names in recorded.values() for name in names)
    sums = {_bare(wheel.file): wheel.sha256 for wheel in environment.packages}
    groups = []
    for folder, names in sorted(recorded.items()):
        own = tuple(sorted(name for name in names if owners[name] == 1))
        if own and (digest := sums.get(_bare(folder))):
            key = keys.key(
                "byte code",
                wheel=digest,
                files=own,
                python=python_key,
                source=keys.source_digest(*SOURCES),
            )
            groups.append(Group(key, own))
            left -= set(own)
    return [*groups, Group(None, tuple(sorted(left)))] if left else groups


def _listed(record: Path, tree: Path) -> Iterable[str]:
    site = record.parents[1].relative_to(tree).as_posix()
    return (f"{site}/{line.split(',')[0]}" for line in record.read_text().splitlines())


def _bare(name: str) -> str:
    """The distribution's name of a wheel's or a .dist-info folder's, normalised (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.split("-")[0]).lower()
