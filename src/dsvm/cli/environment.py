"""env ls | create | diff | reset: the environments of a machine."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dsvm.cli import complete
from dsvm.cli.call import Call, NameArgument, command, machine_meant

WordsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME] ENVIRONMENT",
        help="The machine (default: the one of dsvm.toml here) and the environment.",
        autocompletion=complete.machines_and_environments,
    ),
]
SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def register(app: typer.Typer) -> None:
    command(app, json=True)(ls)
    command(app, json=True)(create)
    command(app, json=True)(diff)
    command(app, json=True)(reset)


def ls(call: Call, name: NameArgument = None) -> None:
    """The environments, each a Jupyter kernel."""
    from dsvm.machines import envs

    found = envs.ls(machine_meant(call, name))
    if call.json:
        call.console.json(found)
        return
    call.console.table(
        [_row(one) for one in found], ["name", "python", "variant", "changed", "path"]
    )


def create(
    call: Call,
    words: WordsArgument,
    python: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Of Python; default: the machine's own.")
    ] = None,
) -> None:
    """Make an environment of your own in the machine; it becomes a kernel by itself."""
    from dsvm.machines import envs

    name, environment = _split(words)
    made = envs.create(machine_meant(call, name), environment, python)
    if call.json:
        call.console.json(made)
    else:
        call.console.say(f"{made['path']}: Python {made['python']}, a kernel in seconds")


def diff(call: Call, words: WordsArgument) -> None:
    """What you changed in an environment since it was proven."""
    from dsvm.machines import envs

    name, environment = _split(words)
    found = envs.diff(machine_meant(call, name), environment)
    if call.json:
        call.console.json(found)
        return
    lines = _changes(found)
    for line in lines:
        call.console.data(line)
    if not lines:
        call.console.say(f"nothing is changed in {environment}")


def reset(call: Call, words: WordsArgument) -> None:
    """Bring an environment back to its proven state."""
    from dsvm.machines import envs

    name, environment = _split(words)
    machine = machine_meant(call, name)
    call.confirm(f"throw away what was changed in `{environment}` of `{machine.name}`?")
    done = envs.reset(machine, environment)
    if call.json:
        call.console.json(done)
        return
    call.console.say(f"{environment} is in its proven state again")
    for process in done["running"]:
        call.console.say(f"restart to use it: {process['command']} (pid {process['pid']})")


def _split(words: list[str]) -> tuple[str | None, str]:
    from dsvm.errors import UsageError

    match words:
        case [environment]:
            return None, environment
        case [name, environment]:
            return name, environment
    raise UsageError("too many words", remedy="give [NAME] ENVIRONMENT")


def _row(one: dict[str, Any]) -> dict[str, str]:
    variant = "own" if one["own"] else one["variant"] or f"FAILED: {one['error']}"
    why = f" ({one['reason']})" if one.get("reason") else ""
    return {
        "name": one["name"],
        "python": one["python"],
        "variant": variant + why,
        "changed": "by you" if one["changed"] else "",
        "path": one["mountpoint"],
    }


def _changes(found: dict[str, Any]) -> list[str]:
    lines = [f"+ {name} {version}" for name, version in found["added"].items()]
    lines += [f"- {name} {version}" for name, version in found["removed"].items()]
    lines += [f"~ {name} {old} -> {new}" for name, (old, new) in found["changed"].items()]
    for kind, sign in SIGNS.items():
        lines += [f"{sign} {file}" for file in found[f"files_{kind}"]]
    return lines
