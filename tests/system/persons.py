"""People who come to a machine by SSH, each with a key of their own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from dsvm.machines.machine import Machine


def make_key(file: Path) -> str:
    """A new private key, beside it the public one, as `.pub`; returns the line of that one."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)]
    subprocess.run(words, check=True)
    return public_key(file)


def public_key(file: Path) -> str:
    """The line that lets in whoever has the private key in the file."""
    return file.with_suffix(".pub").read_text().strip()


def user(name: str, public: str) -> str:
    """The lines of a definition that let somebody in."""
    return f'[users.{name}]\nkeys = ["{public}"]'


@dataclass(frozen=True)
class Person:
    """A login at a machine, with a key."""

    machine: Machine
    name: str
    key: Path

    def ssh(self, *options: str) -> list[str]:
        """The words of a connection of its own, as every login is one; a command may follow."""
        ssh = replace(self.machine.ssh, login=self.name, identity=self.key)
        return ["ssh", "-o", "ControlPath=none", *options, *ssh.argv()[1:]]

    def type(self, script: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A script of the shell."""
        argv = [*self.ssh(), script]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done
