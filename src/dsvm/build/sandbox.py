"""A sandbox over a small tree of unpacked packages: no network, nothing of the host's files.

bubblewrap needs no root where user namespaces are allowed; what is made inside belongs to the
present user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dsvm.programs import run

PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_TREE = ("usr", "bin", "lib", "lib64", "sbin", "etc")


@dataclass(frozen=True)
class Sandbox:
    """Sees `tree` as its system, read-only; `read` and `write` map folders or files into it."""

    tree: Path
    read: Mapping[str, Path] = field(default_factory=dict)
    write: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def argv(self, command: Sequence[str | Path]) -> list[str]:
        words = ["bwrap", "--die-with-parent", "--unshare-all", "--clearenv", "--dev", "/dev"]
        words += ["--proc", "/proc", "--tmpfs", "/tmp"]
        for name in _TREE:
            words += ["--ro-bind-try", str(self.tree / name), f"/{name}"]
        for option, mapped in (("--ro-bind", self.read), ("--bind", self.write)):
            for inside, outside in mapped.items():
                words += [option, str(outside), inside]
        for name, value in {"PATH": PATH, "LC_ALL": "C.UTF-8", **self.environment}.items():
            words += ["--setenv", name, value]
        return ["sh", "-c", 'umask 022 && exec "$@"', "sandbox", *words, *map(str, command)]

    def run(self, command: Sequence[str | Path], *, log: Path) -> str:
        """Run a command inside; return its stdout. Raises `ProgramFailed`."""
        return run(self.argv(command), log=log).stdout
