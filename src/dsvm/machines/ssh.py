"""How dsvm talks to a machine: the OpenSSH client with a pinned host key.

One connection is shared by all commands to a machine (ControlMaster), so that a command costs
milliseconds. Nothing of the person's own SSH configuration or known hosts is read or written.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from dsvm.engines.base import SshAddress
from dsvm.errors import DsvmError

ENDED_S = 1.0
POLL_S = 0.05
CONNECT_S = 30
"""Until sshd's greeting: it comes within a moment, or after seconds where all is emulated."""
GREETING_S = 1.0
PERSIST_S = 60
LOST = 255
"""OpenSSH's own exit status when the connection, not the command, failed."""


class SshFailed(DsvmError):
    """The machine could not be reached, or did not answer in time."""


class RemoteFailed(DsvmError):
    """A command inside the machine ended with another status than 0, or ran too long."""

    def __init__(
        self, machine: str, argv: Sequence[str], reason: str, output: str, returncode: int | None
    ) -> None:
        tail = "\n".join(output.strip().splitlines()[-12:])
        super().__init__(
            f"`{shlex.join(argv)[:200]}` {reason} in machine `{machine}`", cause=tail or None
        )
        self.returncode = returncode
        self.output = output


@dataclass(frozen=True)
class Ssh:
    """One machine's SSH: address, login, the owner's key and the pinned host key.

    `known_hosts` names the host key under `alias(machine)`, so that it holds whatever the port.
    Safe to use from several threads.
    """

    machine: str
    address: SshAddress
    identity: Path
    known_hosts: Path
    login: str = "ds"
    _opening: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    @staticmethod
    def alias(machine: str) -> str:
        """The name under which a machine's host key stands in its known_hosts file."""
        return f"dsvm-{machine}"

    def argv(self, command: Sequence[str] = (), *, tty: bool = False) -> list[str]:
        """The command line that runs `command` inside (a login shell when empty).

        sshd hands the words to the login's shell as one line, so they are quoted for it: they
        arrive unchanged.
        """
        words = ["ssh", *self._options(), "-o", "ControlMaster=no"]
        words += ["-t" if tty else "-T"] if command else []
        words.append(self._target())
        return [*words, shlex.join(command)] if command else words

    def carrying(self, port: int, door: str, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` inside, and carries connections to that port of
        this host's loopback to the socket `door` in the machine while it runs."""
        own = ["-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes"]
        # Of an option that is given twice OpenSSH heeds the first.
        words = ["ssh", *own, *self._options(), "-T", "-L", f"127.0.0.1:{port}:{door}"]
        return [*words, self._target(), shlex.join(command)]

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | IO[bytes] | None = None,
        timeout_s: float | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end; return its status and both streams as text.

        Raises `SshFailed` when the machine is not reached, `RemoteFailed` when the command
        outlasts `timeout_s` seconds or (with `check`) ends with another status than 0.
        """
        done = self.run_bytes(command, stdin=stdin, timeout_s=timeout_s, check=check)
        return subprocess.CompletedProcess(
            done.args,
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )

    def run_bytes(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | IO[bytes] | None = None,
        timeout_s: float | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[bytes]:
        """As `run`, with both streams as bytes."""
        self.open()
        feed: dict[str, Any] = (
            {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
        )
        try:
            done = subprocess.run(
                self.argv(command), capture_output=True, timeout=timeout_s, **feed
            )
        except subprocess.TimeoutExpired as late:
            output = ((late.stdout or b"") + (late.stderr or b"")).decode(errors="replace")
            reason = f"did not end within {timeout_s:.0f} s"
            raise RemoteFailed(self.machine, command, reason, output, None) from None
        error = done.stderr.decode(errors="replace")
        if done.returncode == LOST and self._lost(error):
            raise self._unreachable(error)
        if check and done.returncode != 0:
            reason = f"failed with status {done.returncode}"
            output = error or done.stdout.decode(errors="replace")
            raise RemoteFailed(self.machine, command, reason, output, done.returncode)
        return done

    def wait_ready(
        self,
        timeout_s: float,
        greeting_s: float = GREETING_S,
        ended: Callable[[], bool] = lambda: False,
    ) -> float:
        """Wait until a command runs inside; return how many seconds that took.

        Asks for sshd's greeting every 50 ms, which is far cheaper than a client's start, and waits
        for it `greeting_s` seconds: an emulated sshd needs more than one to start. Raises
        `SshFailed` after `timeout_s` seconds, or at once when the host key is not the pinned one or
        the machine has `ended`.
        """
        began = asked = time.monotonic()
        last = "nothing answered"
        while (passed := time.monotonic() - began) < timeout_s:
            if self._greets(greeting_s):
                done = self._start_master()
                if done is None:
                    return time.monotonic() - began
                last = done
                if "host key" in last.lower():
                    break
            if time.monotonic() - asked > ENDED_S:
                if ended():
                    last = "it has powered off"
                    break
                asked = time.monotonic()
            time.sleep(POLL_S)
        raise SshFailed(
            f"machine `{self.machine}` did not answer over SSH within {passed:.0f} s",
            cause=last,
            remedy=f"`dsvm logs {self.machine}` shows its console",
        )

    def open(self) -> None:
        """Make sure that the shared connection stands. Raises `SshFailed` when it cannot."""
        with self._opening:
            if self._master_listens():
                return
            error = self._start_master()
        if error is not None:
            raise self._unreachable(error)

    def close(self) -> None:
        """End the shared connection, if there is one."""
        control = self._control()
        if control.exists():
            subprocess.run(
                ["ssh", *self._options(), "-O", "exit", self._target()],
                capture_output=True,
                check=False,
            )
            control.unlink(missing_ok=True)

    def anew(self) -> None:
        """Let the next command log in anew: groups and variables of a login are those of its
        connection. What runs on the shared connection goes on."""
        if self._master_listens():
            subprocess.run(
                ["ssh", *self._options(), "-O", "stop", self._target()],
                capture_output=True,
                check=False,
            )

    def _options(self) -> list[str]:
        settings = {
            "BatchMode": "yes",
            "ConnectTimeout": CONNECT_S,
            "ControlPath": self._control(),
            "ForwardAgent": "no",
            "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlias": self.alias(self.machine),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "LogLevel": "ERROR",
            "PreferredAuthentications": "publickey",
            "ServerAliveInterval": 15,
            "StrictHostKeyChecking": "yes",
            "UpdateHostKeys": "no",
        }
        words = ["-F", "none", "-i", str(self.identity), "-p", str(self.address.port)]
        # In a configuration file's value, blanks part two files and % begins a token.
        pinned = str(self.known_hosts).replace("%", "%%")
        words += ["-o", f'UserKnownHostsFile="{pinned}"']
        for key, value in settings.items():
            words += ["-o", f"{key}={value}"]
        return words

    def _target(self) -> str:
        return f"{self.login}@{self.address.host}"

    def _control(self) -> Path:
        """The shared connection's socket. A socket's path ends at 107 bytes, so it is hashed."""
        who = f"{self.known_hosts}\0{self.address.port}\0{self.login}"
        return runtime_folder() / hashlib.sha256(who.encode()).hexdigest()[:16]

    def _master_listens(self) -> bool:
        control = self._control()
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(control))
            except FileNotFoundError:
                return False
            except OSError:
                control.unlink(missing_ok=True)
                return False
        return True

    def _start_master(self) -> str | None:
        """Open the shared connection; None when it stands, else why not."""
        if self._master_listens():
            return None
        with tempfile.TemporaryFile() as errors:
            done = subprocess.run(
                [
                    *("ssh", *self._options(), "-M", "-N", "-f"),
                    *("-o", f"ControlPersist={PERSIST_S}", self._target()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                check=False,
            )
            errors.seek(0)
            text = errors.read().decode(errors="replace").strip()
        return None if done.returncode == 0 else text or f"ssh ended with {done.returncode}"

    def _greets(self, wait_s: float) -> bool:
        try:
            with socket.create_connection((self.address.host, self.address.port), wait_s) as link:
                link.settimeout(wait_s)
                # We speak first, as RFC 4253 (4.2) allows: passt of 2023 (Debian 12) does not
                # complete a connection on which the host's side is silent.
                link.sendall(b"SSH-2.0-dsvm\r\n")
                return link.recv(4) == b"SSH-"
        except OSError:
            return False

    def _lost(self, error: str) -> bool:
        """Whether status 255 was the connection's: then the master is gone or ssh says so."""
        signs = ("ssh: ", "Connection ", "mux_client", "kex_", "Permission denied", "Host key")
        return any(line.startswith(signs) for line in error.splitlines()) or (
            not self._master_listens()
        )

    def _unreachable(self, error: str) -> SshFailed:
        return SshFailed(
            f"machine `{self.machine}` is not reached over SSH",
            cause=error.strip() or None,
            remedy=f"`dsvm ls` shows whether it runs, `dsvm logs {self.machine}` its console",
        )


def runtime_folder() -> Path:
    """A short folder for sockets that nobody else can enter.

    `$XDG_RUNTIME_DIR/dsvm` where the session has one, else `dsvm-<uid>` in /tmp. Raises
    `DsvmError` when somebody else made it.
    """
    session = os.environ.get("XDG_RUNTIME_DIR")
    if session and len(session) <= 60 and Path(session).is_dir():
        folder = Path(session) / "dsvm"
    else:
        folder = Path("/tmp") / f"dsvm-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise DsvmError(
            f"`{folder}` is not a private folder of yours",
            cause="dsvm keeps its connections' sockets there",
            remedy=f"remove it: sudo rm -r {folder}",
        )
    return folder
