"""A folder with a definition, and what a person has and types there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dsvm.catalog.model import Tool
from dsvm.cli.prove import catalog_of
from dsvm.definition import read_name
from dsvm.home import Home
from dsvm.lock import lock_beside
from dsvm.lock.model import Lock
from dsvm.machines.machine import Machine
from dsvm.machines.state import Machines
from dsvm.verify.sabotage import Saboteur
from tests.system.typed import Dsvm


@dataclass(frozen=True)
class Project:
    """The folder of a machine, and the machine as it is now."""

    home: Home
    dsvm: Dsvm
    folder: Path

    @classmethod
    @contextmanager
    def made(cls, home: Home, dsvm: Dsvm, name: str, definition: str) -> Iterator[Self]:
        """A machine of this definition, locked anew, under nspawn; removed at the end."""
        folder = home.root / "definitions" / name
        folder.mkdir(parents=True, exist_ok=True)
        dsvm("rm", name, "--yes")
        (folder / "dsvm.lock").unlink(missing_ok=True)
        (folder / "dsvm.toml").write_text(definition)
        found = cls(home, dsvm, folder)
        found.typed("up", "--yes", "--engine", "nspawn")
        yield found
        dsvm("rm", name, "--yes")

    @property
    def file(self) -> Path:
        return self.folder / "dsvm.toml"

    @property
    def machine(self) -> Machine:
        return Machines(self.home).get(read_name(self.file))

    @property
    def lock(self) -> Lock:
        found = lock_beside(self.file)
        assert found
        return found

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools of the machine, those of the definition's own folders among them."""
        catalog = catalog_of(self.machine)
        return tuple(catalog.tool(name) for name in self.machine.record.tools)

    @property
    def saboteur(self) -> Saboteur:
        return Saboteur(self.machine, self.tools)

    def typed(self, *words: str) -> str:
        """What a command prints that must succeed."""
        done = self.dsvm(*words, cwd=self.folder, timeout_s=1800)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def boot(self) -> str:
        """Another one after each boot of the machine."""
        return self.machine.ssh.run(["cat", "/proc/sys/kernel/random/boot_id"]).stdout

    def layers(self) -> dict[str, str]:
        """The layers of the machine: name -> digest."""
        return {layer.name: layer.digest for layer in self.machine.record.layers}


class Scripted(Project):
    """One in whose machine scripts run."""

    def inside(self, script: str) -> str:
        return self.machine.ssh.run(["bash", "-ec", script], timeout_s=120).stdout
