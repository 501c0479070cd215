"""ssh run cp open logs: working inside a machine."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dsvm.cli import complete
from dsvm.cli.call import Call, NameArgument, command, machine_meant, over_ssh

if TYPE_CHECKING:
    from dsvm.machines.machine import Machine

CONSOLE = "console"
TAIL_LINES = 200
FOLLOW_S = 0.5


def register(app: typer.Typer) -> None:
    command(app)(ssh)
    command(app)(run)
    command(app)(cp)
    command(app, "open", json=True)(open_)
    command(app)(logs)


def ssh(call: Call, name: NameArgument = None) -> None:
    """A shell in the machine."""
    machine = machine_meant(call, name)
    machine.ssh.open()
    _become(call, machine.ssh.argv())


def run(
    call: Call,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME] -- CMD ARG...",
            help="The machine; default: the one of dsvm.toml here. Then what to run in it.",
            autocompletion=complete.machines,
        ),
    ],
    resumable: Annotated[
        bool,
        typer.Option(
            "--resumable",
            help="The machine keeps it: it goes on when you leave, and is started again after "
            "a restart or a resize. `dsvm runs` shows it.",
        ),
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="With --resumable: do not wait for its end.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Tell and keep the memory, the time and the use of GPUs that it took, beside what "
            "was advised; `dsvm advise --history` shows them all.",
        ),
    ] = False,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="With --measure: how many steps it does."),
    ] = None,
) -> int:
    """Run a command in the machine; streams and exit status are its own.

    The words after `--` reach the command unchanged, no shell between.
    """
    from dsvm.errors import UsageError

    name, marker, argv = words[:1], words[:1] == ["--"], words[1:]
    if not marker and words[1:2] == ["--"]:
        argv = words[2:]
    elif not marker:
        raise UsageError(
            "where does the command begin?", remedy="dsvm run [NAME] -- CMD ARG..., with the `--`"
        )
    if not argv:
        raise UsageError("no command after `--`", remedy="dsvm run [NAME] -- CMD ARG...")
    if detach and not resumable:
        raise UsageError("--detach is for runs that the machine keeps", remedy="add --resumable")
    if measure and resumable:
        raise UsageError(
            "--measure looks at one run from its start to its end", remedy="without --resumable"
        )
    if steps and not measure:
        raise UsageError("--steps is for a run that is measured", remedy="add --measure")
    machine = machine_meant(call, None if marker else name[0])
    machine.ssh.open()
    if resumable:
        from dsvm.cli.runs import begin

        return begin(call, machine, argv, detach=detach)
    tty = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    if measure:
        from dsvm.cli.measure import measured

        return measured(call, machine, argv, steps, tty=tty)
    return _become(call, machine.ssh.argv(argv, tty=tty))


def cp(
    call: Call,
    paths: Annotated[
        list[str], typer.Argument(metavar="FROM... TO", help="One side is NAME:PATH (or :PATH).")
    ],
) -> None:
    """Copy files and folders between this host and a machine."""
    from dsvm.errors import UsageError

    if len(paths) < 2:
        raise UsageError("where to?", remedy="dsvm cp FILE NAME:PATH, or dsvm cp NAME:PATH FILE")
    from dsvm.machines.transfer import get, put

    *sources, target = [_place(path) for path in paths]
    ends = {place[0] for place in sources}
    into = target[0] is not None
    if into == any(end is not None for end in ends) or len(ends) != 1:
        raise UsageError(
            "exactly one side of a copy is in a machine",
            remedy="dsvm cp FILE NAME:PATH, or dsvm cp NAME:PATH FILE",
        )
    machine = machine_meant(call, (target[0] if into else ends.pop()) or None)
    machine.ssh.open()
    for _, path in sources:
        if into:
            put(machine.ssh, Path(path), target[1] or "~")
        else:
            get(machine.ssh, path, Path(target[1]))


def open_(
    call: Call,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The machine; default: the one of dsvm.toml here.",
            autocompletion=complete.machines_and_apps,
        ),
    ] = None,
    app: Annotated[
        str | None,
        typer.Argument(
            metavar="[APP]",
            help="The app; default: the machine's first one.",
            autocompletion=complete.machines_and_apps,
        ),
    ] = None,
    screen: Annotated[
        bool,
        typer.Option("--screen", help="The machine's display instead, from its first line on."),
    ] = False,
) -> None:
    """The address that opens an app of the machine, signed in; in the browser if there is one.

    A single word is the machine's name, else an app of the machine of dsvm.toml here.
    """
    from dsvm.machines.pages import app_meant, open_app
    from dsvm.machines.state import Machines

    if screen:
        open_screen(call, name)
        return
    shown_page(call, open_app(*app_meant(Machines(call.home), name, app, Path.cwd())))


def shown_page(call: Call, url: str) -> None:
    """The address, and the page in the browser if there is one."""
    if call.json:
        call.console.json({"url": url})
        return
    call.console.data(url)
    for line in forwarding(url):
        call.console.say(line)
    if _on_a_desktop():
        import webbrowser

        webbrowser.open(url)


def open_screen(call: Call, name: str | None) -> None:
    """The display of a machine: in a viewer if there is one, else where to find it."""
    from dsvm.machines import screen

    socket = screen.screen(machine_meant(call, name))
    if call.json:
        call.console.json({"socket": str(socket)})
        return
    call.console.data(str(socket))
    if _on_a_desktop() and screen.view(socket):
        return
    call.console.say(f"a VNC viewer that takes a socket shows it: {screen.VIEWER} {socket}")
    if here := over_ssh():
        call.console.say(
            f"from your computer: ssh -L 5900:{socket} {here}, then view localhost:5900"
        )


def _on_a_desktop() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def logs(
    call: Call,
    name: NameArgument = None,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="NAME", help="One of the files that --list shows."),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the machine's log files.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[
        int, typer.Option("-n", metavar="LINES", help="How many of the last lines.")
    ] = TAIL_LINES,
) -> None:
    """What the machine says: its journal while it runs, else its console's last words."""
    from dsvm.machines.listing import running

    machine = machine_meant(call, name)
    known = {file.stem: file for file in sorted(machine.logs.glob("*.log"))}
    if show:
        for file in known.values():
            call.console.data(str(file))
    elif log is None and running(machine) and _reached(machine):
        more = ["--follow"] if follow else []
        journal = ["sudo", "-n", "journalctl", "--boot", "--no-pager", f"--lines={lines}", *more]
        _become(call, machine.ssh.argv(journal))
    else:
        _show(call, _log_file(known, log or CONSOLE), lines, follow)


def _reached(machine: Machine) -> bool:
    from dsvm.machines.ssh import SshFailed

    try:
        machine.ssh.open()
    except SshFailed:
        return False
    return True


def _log_file(known: dict[str, Path], wanted: str) -> Path:
    from dsvm.errors import UsageError

    if wanted not in known:
        there = ", ".join(known) or "none yet"
        raise UsageError(f"the machine has no log `{wanted}`", remedy=f"there are: {there}")
    return known[wanted]


def forwarding(url: str) -> list[str]:
    """What to type on one's own computer when this host was reached by SSH."""
    host = over_ssh()
    if host is None:
        return []
    from urllib.parse import urlsplit

    port = urlsplit(url).port
    user = os.environ.get("USER", "root")
    return [f"on your own computer first: ssh -N -L {port}:127.0.0.1:{port} {user}@{host}"]


def _show(call: Call, file: Path, lines: int, follow: bool) -> None:
    with file.open(encoding="utf-8", errors="replace") as text:
        for line in text.readlines()[-lines:]:
            call.console.data(line.rstrip("\n"))
        while follow:
            more = text.read()
            if more:
                call.console.out.write(more)
                call.console.out.flush()
            time.sleep(FOLLOW_S)


def _place(text: str) -> tuple[str | None, str]:
    """`NAME:PATH` -> its machine and path; a path of this host has None."""
    name, colon, path = text.partition(":")
    if not colon or "/" in name:
        return None, text
    return name, path


def _become(call: Call, argv: list[str]) -> NoReturn:
    """Become ssh: its streams and its exit status are then ours without anything between."""
    call.console.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvp(argv[0], argv)
