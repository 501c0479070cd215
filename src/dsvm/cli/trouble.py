"""How a command ends that did not end well: one screen, one exit code."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from dsvm.console import Console
from dsvm.errors import DsvmError, UsageError

OTHER = 1
INTERRUPTED = 130
NETWORK = "look at the network and its proxy: `dsvm doctor` shows which sources are reached"
REPORT = "this is a bug in dsvm: please report it with the lines above and the output of "


def told(error: BaseException, *, debug: bool) -> int:
    """Print `error` as a person should see it; return the exit code."""
    from dsvm.cli import Interrupted

    console = Console()
    if isinstance(error, BrokenPipeError):
        return _reader_left()
    if isinstance(error, Interrupted | KeyboardInterrupt):
        console.error(["interrupted; what was finished is kept, the same command goes on"])
        return INTERRUPTED
    known = as_dsvm_error(error)
    if known is None or debug:
        traceback.print_exception(error)
    if known is None:
        console.error([f"error: {_summary(error)}", f"hint: {REPORT}`dsvm doctor`"])
        return OTHER
    console.error(known.lines())
    return known.exit_code


def as_dsvm_error(error: BaseException) -> DsvmError | None:
    """What a user, a network or a disk can cause, as a `DsvmError`; None for a bug."""
    if isinstance(error, DsvmError):
        return error
    if _is_network(error):
        text = str(error) or type(error).__name__
        return DsvmError("a download failed", cause=text, remedy=NETWORK)
    if isinstance(error, OSError):
        return _from_os(error)
    return _from_usage(error)


def _is_network(error: BaseException) -> bool:
    """Whatever a network can do; httpx is asked only where something has imported it."""
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror | ssl.SSLError):
        return True
    if isinstance(error, OSError):
        return error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    httpx = sys.modules.get("httpx")
    return httpx is not None and isinstance(error, httpx.HTTPError)


def _from_os(error: OSError) -> DsvmError | None:
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    what = error.strerror or str(error)
    return DsvmError(
        f"{what[0].lower()}{what[1:]}" + (f": {names[0]}" if names else ""),
        remedy=remedy(names[0] if names else None),
    )


def _full(name: str | None) -> str:
    return "`dsvm gc` frees what no machine needs; DSVM_HOME moves everything to a larger disk"


def _denied(name: str | None) -> str:
    if name is None:
        return "call dsvm as the user who owns its files, or as root"
    held = next((p for p in (Path(name), *Path(name).parents) if p.exists()), Path("/"))
    try:
        owner = held.owner()
    except (KeyError, OSError):
        owner = "another user"
    return (
        f"{held} belongs to {owner}: call dsvm as that user, or set DSVM_HOME to a folder of yours"
    )


def _missing(name: str | None) -> str:
    return "check the name; if a file of dsvm's own vanished, the same command makes it anew"


def _read_only(name: str | None) -> str:
    return "DSVM_HOME moves what dsvm keeps to a disk that can be written"


def _many(name: str | None) -> str:
    return "raise the limit of open files: ulimit -n 65536"


def _memory(name: str | None) -> str:
    return "stop other programs or machines (`dsvm stop NAME`), or give the machine less memory"


def _broken(name: str | None) -> str:
    return "the disk could not read or write: see `dmesg`; DSVM_HOME moves everything to another"


_REMEDIES: dict[int, Callable[[str | None], str]] = {
    errno.ENOSPC: _full,
    errno.EDQUOT: _full,
    errno.EACCES: _denied,
    errno.EPERM: _denied,
    errno.ENOENT: _missing,
    errno.ENOTDIR: _missing,
    errno.EISDIR: _missing,
    errno.EROFS: _read_only,
    errno.EMFILE: _many,
    errno.ENFILE: _many,
    errno.ENOMEM: _memory,
    errno.EIO: _broken,
}


def _from_usage(error: BaseException) -> DsvmError | None:
    import typer

    if isinstance(error, typer.Abort):
        return DsvmError("nothing was done", remedy="answer `y`, or add --yes")
    if not isinstance(error, typer.TyperException):
        return None
    text = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "dsvm"
    return UsageError(f"{text[0].lower()}{text[1:]}", remedy=f"`{path} --help` says what it takes")


def _summary(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _reader_left() -> int:
    """The reader of a pipe has gone, as `| head` does: end without a word."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, sys.stdout.fileno())
    return OTHER
