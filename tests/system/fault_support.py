"""A DSVM_HOME to do harm in, and what of it can be seen on the host afterwards."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dsvm.home import Home
from dsvm.scratch import MEMORY, PREFIX
from tests.system.spare import stand_still, trace_of
from tests.system.typed import CHECKOUT, Dsvm

SEED = 20261124
GONE_S = 20.0
SMALL = 'profile = ""\ntools = ["git"]\n[size]\ncpus = 1\nmemory = "1G"\n'


@dataclass(frozen=True)
class Lab:
    """A home with what `small` is built from, and folders for definitions and temporary files."""

    home: Home
    name: str

    @property
    def folder(self) -> Path:
        """Of the machine `name`."""
        return self.home.root / "definitions" / self.name

    @property
    def temporary(self) -> Path:
        return self.home.root / "temporary"

    @property
    def environment(self) -> dict[str, str]:
        return {"DSVM_HOME": str(self.home.root), "TMPDIR": str(self.temporary)}

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type a command in the machine's folder."""
        return Dsvm(self.home.root)(*agreed(words), cwd=self.folder, env=self.environment)

    def done(self, *words: str) -> str:
        """Type a command that succeeds; its output."""
        ended = self(*words)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Type a command and do not wait for it."""
        return subprocess.Popen(
            [CHECKOUT / "dsvm", *agreed(words)],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def define(self, *more: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = f'name = "{self.name}"\n{SMALL}' + "".join(f"{line}\n" for line in more)
        (self.folder / "dsvm.toml").write_text(text)

    def left(self) -> list[str]:
        """What commands that have ended left behind: should be nothing.

        A process that was killed may take a moment to be gone.
        """
        deadline = time.monotonic() + GONE_S
        while (found := [*self._running(), *self._files()]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def _running(self) -> Iterator[str]:
        """Processes, mounts, loop devices, control groups."""
        root = os.fsencode(self.home.root)
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (process / "cmdline").read_bytes()
                if root in words or root in (process / "environ").read_bytes():
                    yield f"process {process.name}: {words!r}"
        left = trace_of(self.home.machines / self.name, frozenset(), below=self.home.root)
        yield from (f"mount {line}" for line in left.mounts)
        yield from (f"loop device of {file}" for file in left.loops)
        yield from (f"control group {group}" for group in left.groups)

    def _files(self) -> Iterator[str]:
        """Half files, folders for work, locks of layers."""
        for found in (*self.home.root.rglob("*.partial"), *self.home.root.glob("cache/locks/*")):
            yield f"file {found}"
        yield from map(str, self.temporary.iterdir())
        for place in (self.home.cache, self.home.cache / "work", self.home.cache / "trees"):
            yield from map(str, place.glob(f"{PREFIX}*/"))


def agreed(words: tuple[str, ...]) -> list[str]:
    """The command, with yes to whatever it may ask."""
    return [words[0], "--yes", *words[1:]]


@contextmanager
def lab(shared: Home, name: str) -> Iterator[Lab]:
    """A home of its own, its files hard links to those of the shared one; gone at the end."""
    root = shared.root / "labs" / name
    root.mkdir(parents=True)
    one = Lab(Home(root), name)
    one.temporary.mkdir()
    shutil.copytree(
        shared.store, one.home.store, copy_function=os.link, ignore=shutil.ignore_patterns("lock")
    )
    shutil.copytree(shared.cache, one.home.cache, symlinks=True)
    one.define()
    shutil.copyfile(shared.root / "definitions/small/dsvm.lock", one.folder / "dsvm.lock")
    try:
        yield one
    finally:
        one("rm", name)
        shutil.rmtree(root)


def kill_tree(process: subprocess.Popen[str]) -> None:
    """Kill a command and all its descendants, at one moment."""
    for pid in stand_still(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()


def abandoned() -> set[Path]:
    """Folders for work in memory that nobody holds; of this user, since no other may sweep them."""
    found = MEMORY.glob(f"{PREFIX}*/")
    return {folder for folder in found if not _held(folder) and _ours(folder)}


def _ours(folder: Path) -> bool:
    with suppress(FileNotFoundError):  # swept since it was listed
        return folder.stat().st_uid == os.getuid()
    return False


def _held(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
