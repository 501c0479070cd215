"""The command `dsvm-guest`: `apply`, `driver-guard`, `env ...`, `gate`, `grow`, `hardware`,
`measure`, `pass-on`, `renew`, `runs ...`, `view`, `wait-for`, `watch`, `work`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from dsvm.guest.system import GuestError


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0: done, 1: something failed (told on stderr), 2: wrong usage."""
    asked = _parser().parse_args(argv)
    try:
        return int(asked.do(asked))
    except GuestError as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dsvm-guest", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("apply", help="make the machine what its seed says").set_defaults(do=_apply)
    commands.add_parser(
        "driver-guard", help="for apt: refuse what would part kernel and driver"
    ).set_defaults(do=_driver_guard)
    grow = commands.add_parser("grow", help="let the root file system take BYTES of its disk")
    grow.set_defaults(do=_grow)
    grow.add_argument("bytes", metavar="BYTES", type=int)
    hardware = commands.add_parser("hardware", help="processors, memory, GPUs; which can be used")
    hardware.set_defaults(do=_hardware)
    hardware.add_argument("--json", action="store_true", help="as JSON on stdout")
    measure = commands.add_parser("measure", help="run a command; what it took, as JSON to REPORT")
    measure.set_defaults(do=_measure)
    measure.add_argument("report", metavar="REPORT", type=Path)
    measure.add_argument("words", metavar="COMMAND", nargs=argparse.REMAINDER)
    pass_on = commands.add_parser("pass-on", help="pass each connection on as who it is")
    pass_on.set_defaults(do=_pass_on)
    pass_on.add_argument("path", metavar="PATH", help="the server's socket")
    pass_on.add_argument("port", metavar="PORT", type=int, help="the server's port")
    renew = commands.add_parser("renew", help="put the version unpacked in FOLDER in place")
    renew.set_defaults(do=_renew)
    renew.add_argument("folder", metavar="FOLDER", type=Path)
    view = commands.add_parser("view", help="prepare the environments as USER sees them")
    view.set_defaults(do=_view)
    view.add_argument("user", metavar="USER")
    gate = commands.add_parser("gate", help="open the web page APP to who has its token")
    gate.set_defaults(do=_gate)
    gate.add_argument("app", metavar="APP")
    wait = commands.add_parser("wait-for", help="return once ADDRESS takes connections")
    wait.set_defaults(do=_wait_for)
    wait.add_argument("address", metavar="ADDRESS")
    commands.add_parser(
        "watch", help="copy the lessons; make environments below home kernels"
    ).set_defaults(do=_watch)
    commands.add_parser("work", help="what people have running, as JSON").set_defaults(do=_work)
    env = commands.add_parser("env", help="environments").add_subparsers(
        required=True, metavar="COMMAND"
    )
    for name, words in (
        ("ls", "list them"),
        ("diff", "what you changed in one"),
        ("reset", "back to the proven state"),
        ("create", "a new one at ~/envs/NAME"),
    ):
        one = env.add_parser(name, help=words)
        one.set_defaults(do=_env, command=name)
        one.add_argument("--json", action="store_true", help="as JSON on stdout")
        if name != "ls":
            one.add_argument("name", metavar="NAME")
        if name == "create":
            one.add_argument("--python", metavar="3.X", help="default: the machine's own")
    runs = commands.add_parser("runs", help="commands that go on after a restart").add_subparsers(
        required=True, metavar="COMMAND"
    )
    for name, words in (
        ("ls", "list yours, as JSON"),
        ("add", "start one; its number"),
        ("go-on", "start those that are not over"),
        ("follow", "show what one writes until it is over"),
        ("stop", "end one for good"),
        ("keep", "for systemd: run one"),
    ):
        one = runs.add_parser(name, help=words)
        one.set_defaults(do=_runs, command=name)
        if name == "add":
            one.add_argument("words", metavar="JSON", type=json.loads, help="command and arguments")
        elif name not in ("ls", "go-on"):
            one.add_argument("number", metavar="NUMBER", type=int)
        if name == "follow":
            one.add_argument("--start", metavar="BYTE", type=int, default=0)
    return parser


def _apply(asked: argparse.Namespace) -> int:
    from dsvm.guest.apply import apply
    from dsvm.guest.views import must_be_root

    must_be_root(["apply"])
    outcome = apply()
    print(outcome.message(), end="")
    for error in outcome.errors:
        print(f"error: {error}", file=sys.stderr)
    return 1 if outcome.errors else 0


def _driver_guard(asked: argparse.Namespace) -> int:
    from dsvm.guest.driver_set import driver_set, guard

    if why := guard(sys.stdin, driver_set()):
        raise GuestError(why)
    return 0


def _grow(asked: argparse.Namespace) -> int:
    from dsvm.guest.grow import grow

    grow(asked.bytes)
    return 0


def _hardware(asked: argparse.Namespace) -> int:
    from dsvm.guest.hardware import Look, rows

    told = Look().hardware().json()
    for what, found in [] if asked.json else rows(told):
        print(f"{what:<10} {found}")
    if asked.json:
        print(json.dumps(told))
    return 0


def _measure(asked: argparse.Namespace) -> int:
    from dsvm.guest.measure import measure

    return measure(asked.words, asked.report)


def _pass_on(asked: argparse.Namespace) -> int:
    from dsvm.guest.pass_on import serve

    serve(asked.path, asked.port)
    return 0


def _renew(asked: argparse.Namespace) -> int:
    from dsvm.guest import renew
    from dsvm.guest.apply import locked

    with locked():
        renew.restart(renew.renew(asked.folder))
    return 0


def _view(asked: argparse.Namespace) -> int:
    from dsvm.guest import environments, users
    from dsvm.guest.apply import locked

    with locked():
        environments.prepare(users.account(asked.user))
    return 0


def _gate(asked: argparse.Namespace) -> int:
    from dsvm.guest.gate import serve

    serve(asked.app)
    return 0


def _wait_for(asked: argparse.Namespace) -> int:
    from dsvm.guest.waiting import wait_for

    wait_for(asked.address)
    return 0


def _watch(asked: argparse.Namespace) -> int:
    from dsvm.guest import learn
    from dsvm.guest.system import own_home
    from dsvm.guest.watch import watch

    try:
        learn.copy(own_home())
    except OSError as refused:  # a full disk must not cost anybody a kernel
        print(f"lessons are not copied: {refused}", file=sys.stderr)
    watch()
    return 0


def _work(asked: argparse.Namespace) -> int:
    from dsvm.guest.work import running

    print(json.dumps([asdict(one) for one in running()]))
    return 0


def _runs(asked: argparse.Namespace) -> int:
    from dsvm.guest import runs

    return runs.command(asked.command, asked)


def _env(asked: argparse.Namespace) -> int:
    from dsvm.guest import env

    return env.command(asked.command, getattr(asked, "name", ""), asked)


if __name__ == "__main__":
    sys.exit(main())
