"""Where verify works inside the machine: a folder of its own, gone when it is done.

/var/tmp/dsvm-verify.<random>/
  inside/          the programs of dsvm.verify.inside
  tools/<tool>/    the tool's checks and samples
  work/            one folder for each running check
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dsvm.errors import DsvmError
from dsvm.machines.ssh import Ssh
from dsvm.machines.transfer import put
from dsvm.scratch import folder

PLACE = "/var/tmp/dsvm-verify"
INSIDE = Path(__file__).parent / "inside"
SETUP_S = 120
# What a verify that was killed left behind; one that runs beside this one is younger.
STALE = f"find {PLACE}.* -maxdepth 0 -user ds -mmin +120 -exec rm -rf {{}} + 2>/dev/null; "
PYTHON = ("/usr/bin/python3", "-I", "-B")


class Packed(Protocol):
    """What has a folder of programs and their data: a tool, a lesson."""

    @property
    def name(self) -> str: ...

    @property
    def folder(self) -> Path: ...


@dataclass(frozen=True)
class Scratch:
    """The folder inside, and questions to the machine from it."""

    ssh: Ssh
    folder: str

    def ask(self, question: str, *words: str, root: bool = False, timeout_s: float = 120) -> Any:
        """The answer of `dsvm.verify.inside.look`. Raises `SshFailed`, `RemoteFailed`."""
        return self.program("look.py", question, *words, root=root, timeout_s=timeout_s)

    def program(self, name: str, *words: str, root: bool = False, timeout_s: float) -> Any:
        """Run one of the programs inside; returns the JSON it prints."""
        sudo = ("sudo", "-n") if root else ()
        argv = [*sudo, *PYTHON, f"{self.folder}/inside/{name}", *words]
        return json.loads(self.ssh.run(argv, timeout_s=timeout_s).stdout)

    def tool(self, name: str) -> str:
        return f"{self.folder}/tools/{name}"

    def work(self, name: str) -> str:
        return f"{self.folder}/work/{name}"


@contextmanager
def scratch(ssh: Ssh, owners: Sequence[Packed]) -> Iterator[Scratch]:
    """Copy the checks in; whatever happens, what still runs of them is ended and the folder removed
    at the end."""
    made = ssh.run(
        ["sh", "-c", f"{STALE} mktemp -d {PLACE}.XXXXXXXX"], timeout_s=SETUP_S
    ).stdout.strip()
    if not made.startswith(f"{PLACE}."):
        raise DsvmError("verify could not make its folder inside the machine", cause=made)
    try:
        with folder("verify") as packed:
            _pack(owners, packed)
            put(ssh, packed, made, exact=True)
        yield Scratch(ssh, made)
    finally:
        with contextlib.suppress(DsvmError):
            running = f"^{' '.join(PYTHON)} {made}/inside/"
            ending = f"pkill -f '{running}'; rm -rf {made}"
            ssh.run(["sh", "-c", ending], timeout_s=SETUP_S, check=False)


def _pack(owners: Sequence[Packed], target: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(INSIDE, target / "inside", ignore=ignore)
    (target / "work").mkdir()
    for owner in owners:
        shutil.copytree(owner.folder, target / "tools" / owner.name, ignore=ignore)
