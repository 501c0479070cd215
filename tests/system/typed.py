"""Types a command at the real `./dsvm`."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dsvm.home import Home
from dsvm.host.prepare import prepare
from dsvm.progress import Silent

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Dsvm:
    """`./dsvm` of this checkout with its own DSVM_HOME; no terminal, so it does not ask."""

    home: Path

    def __call__(
        self,
        *words: str,
        cwd: Path = Path("/"),
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CHECKOUT / "dsvm", *words],
            cwd=cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env={**os.environ, "DSVM_HOME": str(self.home), **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def begun(self, *words: str, cwd: Path = Path("/")) -> subprocess.Popen[str]:
        """A command that runs on; its streams are pipes."""
        return subprocess.Popen(
            [CHECKOUT / "dsvm", *words],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "DSVM_HOME": str(self.home)},
            text=True,
            # Shells let what they start in the background ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def typed_by_a_reader(
    line: str,
    folder: Path,
    home: Home,
    *,
    shell: str = "sh",
    stdin: str = "",
    timeout_s: float = 900,
) -> str:
    """What a line of the documentation prints, typed in a folder with `./dsvm`; it must work."""
    done = subprocess.run(
        [shell, "-c", line],
        cwd=folder,
        env={**os.environ, "DSVM_HOME": str(home.root)},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def install_host_packages(home: Home) -> None:
    """As the first `up` does: tests of single rooms need the same programs."""
    prepare("auto", home, Silent(), agree=lambda question: True)
