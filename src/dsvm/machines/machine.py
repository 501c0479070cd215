"""One machine as the rooms above see it: its record, its folder and its SSH."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dsvm.engines.base import SshAddress
from dsvm.home import Home
from dsvm.machines.model import MachineRecord
from dsvm.machines.ssh import Ssh

LOGIN = "ds"
MACHINE = "machine"
"""The tool name of the checks that belong to the machine as a whole."""


@dataclass(frozen=True)
class Machine:
    """A machine that exists on disk; whether it runs, only its engine knows."""

    home: Home
    record: MachineRecord

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def folder(self) -> Path:
        return self.home.machines / self.record.name

    @property
    def reports(self) -> Path:
        """Where verify keeps `<time>.json|.xml|.html`."""
        return self.folder / "reports"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def identity(self) -> Path:
        """The owner's private key."""
        return self.folder / "ssh" / "id_ed25519"

    @cached_property
    def ssh(self) -> Ssh:
        """The SSH of the machine's login."""
        return Ssh(
            machine=self.name,
            address=SshAddress("127.0.0.1", self.record.ssh_port),
            identity=self.identity,
            known_hosts=self.folder / "ssh" / "known_hosts",
            login=LOGIN,
        )
