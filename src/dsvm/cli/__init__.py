"""The command line: parse, call, print. No logic lives here.

Exit codes: 0 done, 1 an error, 2 wrong usage, 3 some check failed, 130 interrupted. `dsvm run` and
`dsvm ssh` end with the status of what ran inside the machine.
"""

from __future__ import annotations

import signal
import sys


class Interrupted(Exception):
    """Ctrl-C, or a signal to end."""


def main() -> None:
    """The entry point of `dsvm`: runs a command and leaves the process with its exit code."""
    for end in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(end) is not signal.SIG_IGN:  # as nohup asks
            signal.signal(end, _end)
    sys.exit(invoke(sys.argv[1:]))


def _end(number: int, frame: object) -> None:
    """As Ctrl-C: what was begun is put in order, the terminal given back as it was."""
    raise KeyboardInterrupt


def invoke(args: list[str]) -> int:
    """Run one command line; print its errors; return the exit code."""
    from dsvm.cli.app import run

    debug = "--debug" in (args[: args.index("--")] if "--" in args else args)
    try:
        code = run(args)
        sys.stdout.flush()
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        from dsvm.cli.trouble import told

        code = told(error, debug=debug)
    return code


__all__ = ["Interrupted", "invoke", "main"]
