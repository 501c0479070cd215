"""advise: what a job needs, before anything is bought, built or allocated."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli.call import Call, command

if TYPE_CHECKING:
    from dsvm.advise.estimate import Estimate
    from dsvm.advise.job import Job
    from dsvm.advise.tables import Table
    from dsvm.sizes import Size

MOST = 1_000_000
STEP = 256 * 1024**2
REVISION = "main"
MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def register(app: typer.Typer) -> None:
    command(app, json=True)(advise)


def advise(
    call: Call,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="Defines model(), batch(n) and loss(model, batch) with PyTorch."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="In place of a file: a config.json, or a model of Hugging Face by name.",
        ),
    ] = None,
    onnx: Annotated[
        Path | None, typer.Option("--onnx", help="An ONNX model in place of a file; inference.")
    ] = None,
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="ROWSxCOLUMNS", help="A table in place of a file."),
    ] = None,
    batch: Annotated[
        int, typer.Option("--batch", min=1, max=MOST, help="Examples in a batch.")
    ] = 1,
    optimizer: Annotated[
        str, typer.Option("--optimizer", help="adam, adamw, sgd (momentum 0.9), ...")
    ] = "adam",
    precision: Annotated[str, typer.Option("--precision", help="fp32, bf16 or amp.")] = "fp32",
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    inference: Annotated[
        bool, typer.Option("--inference", help="No training: no gradients, no optimizer.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Of the job: tells its time and price.")
    ] = None,
    task: Annotated[
        str, typer.Option("--task", help="Of --config: causal-lm, masked-lm, ...")
    ] = "causal-lm",
    sequence: Annotated[
        int, typer.Option("--sequence", min=1, max=MOST, help="Of --config: tokens of an example.")
    ] = 512,
    lora: Annotated[
        int, typer.Option("--lora", min=0, max=4096, help="Of --config: rank of adapters.")
    ] = 0,
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Of --config: activations are made again.")
    ] = False,
    model: Annotated[
        str, typer.Option("--model", help="Of --table: xgboost, lightgbm, random-forest.")
    ] = "xgboost",
    trees: Annotated[
        int, typer.Option("--trees", min=1, max=MOST, help="Of --table: how many.")
    ] = 100,
    depth: Annotated[
        int, typer.Option("--depth", min=0, max=60, help="Of --table: at most; 0: no limit.")
    ] = 6,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            metavar="WHERE",
            help="A virtual environment's folder, or MACHINE[:NAME]; default: one is made.",
        ),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Time some operations on this processor first: 80 s."),
    ] = False,
    smaller: Annotated[
        bool, typer.Option("--smaller", help="Also what to change so that a smaller size fits.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="SVG", help="Draw memory over the step.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="Write all of it as one page.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", metavar="SECONDS", min=1, help="For the file's code.")
    ] = 180.0,
    history: Annotated[
        bool,
        typer.Option(
            "--history", help="Only show what measured runs took beside what had been advised."
        ),
    ] = False,
) -> int:
    """How much memory and time a job takes, and which size fits it, before it runs.

    The size that is found is what `--size advised` means afterwards in this folder.
    """
    from dsvm.advise.job import job_of
    from dsvm.errors import UsageError

    if history:
        from dsvm.cli.measure import history as shown

        return shown(call)
    given = [one for one in (file, config, onnx, table) if one is not None]
    if len(given) != 1:
        raise UsageError(
            "which job?" if not given else "one job at a time",
            remedy="give one of: a file, --config, --onnx, --table",
        )
    found = (
        _of_table(call, table, model, trees, depth)
        if table
        else _traced(
            call,
            job_of(
                batch=batch,
                optimizer=optimizer,
                precision=precision,
                device=device,
                inference=inference or onnx is not None,
                file=file,
                config=_config(call, config),
                onnx=onnx,
                task=task,
                sequence=sequence,
                lora=lora,
                checkpointing=checkpointing,
            ),
            environment,
            calibrate,
            smaller,
            time_limit,
        )
    )
    if picture or report:
        _write(found, steps, picture, report)
    _keep(call, found)
    _told(call, found, steps)
    return 0


def _config(call: Call, named: Path | None) -> Path | None:
    """The file itself; of a name like `organisation/model` that of the hub, as it is today."""
    if named is None or named.is_file() or not MODEL_NAME.fullmatch(str(named)):
        return named
    from dsvm.errors import DsvmError
    from dsvm.lock.hub import hub_file
    from dsvm.lock.reached import NotReached

    place = call.home.cache / "hub" / str(named).replace("/", "--") / REVISION
    try:
        with call.progress.step(f"fetching the configuration of {named}"):
            return hub_file(str(named), "config.json", REVISION, place)
    except NotReached as silent:
        raise DsvmError(
            f"there is no file {named}, and no hub was reached that has such a model",
            cause=silent.what,
            remedy="give the path of its config.json",
        ) from None


def _of_table(call: Call, shape: str, model: str, trees: int, depth: int) -> Estimate:
    from dsvm.advise.estimate import estimate_table
    from dsvm.advise.tables import Table, parse_shape

    rows, columns = parse_shape(shape)
    asked: Table = Table(rows, columns, model, trees=trees, depth=depth)
    return estimate_table(asked, _sizes(call))


def _traced(
    call: Call, job: Job, wanted: str | None, calibrate: bool, smaller: bool, time_limit: float
) -> Estimate:
    from dsvm.advise.calibration import Shelf
    from dsvm.advise.estimate import estimate
    from dsvm.advise.places import environment_of

    there = environment_of(job, wanted, call.home, call.progress, time_limit)
    shelf = Shelf(call.home)
    if calibrate:
        with call.progress.step("timing operations on this processor"):
            shelf.keep(there.work("calibrate", {}))
    found = estimate(job, there, shelf, _sizes(call))
    if smaller:
        from dsvm.advise.smaller import changes

        with call.progress.step("following the job with each change"):
            made = changes(job, found, there, shelf, _sizes(call))
        return replace(found, changes=tuple(made))
    return found


def _sizes(call: Call) -> tuple[Size, ...]:
    from dsvm.cli.sizes import definition_here
    from dsvm.sizes import load_sizes

    return load_sizes(call.home, definition_here()).sizes


def _write(found: Estimate, steps: int | None, picture: Path | None, report: Path | None) -> None:
    from dsvm.advise.page import drawn, page

    if picture:
        picture.write_text(drawn(found), "utf-8")
    if report:
        report.write_text(page(found, steps), "utf-8")


def _keep(call: Call, found: Estimate) -> None:
    """What `--size advised` means in this folder, and what measured runs are compared with."""
    from datetime import UTC, datetime

    from dsvm.advise.history import advice_of, keep_advice
    from dsvm.definition import find
    from dsvm.sizes import THIS_COMPUTER
    from dsvm.sizes.wish import Wish, keep_advised

    definition = find(Path.cwd())
    folder = definition.parent if definition else Path.cwd()
    keep_advice(call.home, folder, advice_of(found, datetime.now(UTC)))
    if found.choice.cheapest:
        size = found.choice.cheapest.size
        if size.provider == THIS_COMPUTER:  # a machine of it needs no more than the job does
            size = replace(size, memory=-(-found.memory.machine // STEP) * STEP)
        keep_advised(call.home, folder, Wish.of(size))


def _told(call: Call, found: Estimate, steps: int | None) -> None:
    from dsvm.advise.answer import (
        CHANGE_COLUMNS,
        MEMORY_COLUMNS,
        SIZE_COLUMNS,
        as_json,
        change_rows,
        memory_rows,
        sentences,
        size_rows,
    )

    if call.json:
        call.console.json(as_json(found, steps))
        return
    call.console.table(memory_rows(found.memory), MEMORY_COLUMNS)
    call.console.data("")
    call.console.table(size_rows(found), SIZE_COLUMNS)
    if found.changes:
        call.console.data("")
        call.console.table(change_rows(found), CHANGE_COLUMNS)
    for line in sentences(found, steps):
        call.console.say(line)
