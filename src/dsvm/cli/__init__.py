"""The command line: parse, call, print. No logic lives here.

Exit codes: 0 done, 1 an error, 2 wrong usage, 3 some check failed, 130 interrupted. `dsvm run` and
`dsvm ssh` end with the status of what ran inside the machine.
"""

from __future__ import annotations

import sys

from dsvm.errors import DsvmError


class Interrupted(Exception):
    """Ctrl-C, or a signal to end."""


def main() -> None:
    """The entry point of `dsvm`: runs a command and leaves the process with its exit code."""
    sys.exit(call(sys.argv[1:]))


def call(args: list[str]) -> int:
    """Run one command line; print its errors; return the exit code."""
    from dsvm.cli.app import run
    from dsvm.cli.trouble import told

    debug = "--debug" in (args[: args.index("--")] if "--" in args else args)
    try:
        code = run(args)
        sys.stdout.flush()
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        code = told(error, debug=debug)
    return code


__all__ = ["DsvmError", "Interrupted", "call", "main"]
