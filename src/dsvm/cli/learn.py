"""learn: lessons, each a notebook and a script that is proven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsvm.cli.call import Call, MachineOption, command, machine_meant

if TYPE_CHECKING:
    from dsvm.learn import Lesson
    from dsvm.learn.shelf import Ran
    from dsvm.machines.machine import Machine

ALL = "all"
FAILED = 1


def register(app: typer.Typer) -> None:
    command(app, json=True)(learn)


def learn(
    call: Call,
    lesson: Annotated[
        str | None,
        typer.Argument(metavar="[LESSON]", help="Open this one; default: list them."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run", metavar="LESSON", help="Run this one, or `all`; its result must hold."
        ),
    ] = None,
    machine: MachineOption = None,
    korean: Annotated[bool, typer.Option("--ko", help="In Korean; 한국어로.")] = False,
) -> int:
    """Lessons for the first day: deep learning, models of others, the classic walkthrough.

    Each lies in ~/learn of every user of the machine as a notebook and as a script, in English and
    in Korean.
    """
    there = machine_meant(call, machine)
    if run is not None:
        return _run(call, there, run)
    if lesson is not None:
        return _open(call, there, lesson, "ko" if korean else "en")
    return _list(call, there, "ko" if korean else "en")


def _list(call: Call, machine: Machine, language: str) -> int:
    from dsvm.learn import load_lessons
    from dsvm.learn.run import lacking
    from dsvm.learn.shelf import Shelf

    shelf = Shelf.of(machine)
    found = [(one, shelf.last(one.name), lacking(machine, one)) for one in load_lessons().values()]
    if call.json:
        call.console.json([_told(one, ran, missing) for one, ran, missing in found])
        return 0
    rows = [_row(one, ran, missing, language) for one, ran, missing in found]
    call.console.table(rows, ["LESSON", "TITLE", "LAST RUN"])
    if shelf.page.exists():
        call.console.say(f"figures and results: {shelf.page}")
    return 0


def _told(lesson: Lesson, ran: Ran | None, missing: list[str]) -> dict[str, Any]:
    return {
        "name": lesson.name,
        "title": lesson.title.en,
        "titles": lesson.title.model_dump(),
        "missing": missing,
        "seconds": ran.seconds if ran else None,
        "outcome": ran.outcome if ran else None,
        "results": ran.results if ran else {},
    }


def _row(lesson: Lesson, ran: Ran | None, missing: list[str], language: str) -> dict[str, str]:
    from dsvm.console import span

    last = f"{ran.outcome} in {span(ran.seconds)}" if ran else "never"
    if missing:
        last = f"needs {lesson.adding(missing)}"
    return {"LESSON": lesson.name, "TITLE": getattr(lesson.title, language), "LAST RUN": last}


def _run(call: Call, machine: Machine, wanted: str) -> int:
    from dsvm.cli.prove import MARKS
    from dsvm.errors import DsvmError
    from dsvm.learn import load_lessons
    from dsvm.learn.lessons import lesson
    from dsvm.learn.run import lacking, run
    from dsvm.learn.shelf import Shelf

    if wanted == ALL:
        lessons = [one for one in load_lessons().values() if not lacking(machine, one)]
        if not lessons:
            raise DsvmError(
                f"no lesson runs on {machine.name}",
                cause="each needs a tool that is not there",
                remedy="`dsvm learn` names them",
            )
    else:
        lessons = [lesson(wanted)]
    machine.ssh.open()
    found = run(machine, lessons, call.progress)
    if call.json:
        call.console.json([one.model_dump(mode="json", exclude={"figures"}) for one in found])
    else:
        for one in found:
            told = ", ".join(f"{name} {value}" for name, value in one.results.items())
            call.console.data(f"{MARKS[one.outcome]}  {one.name}: {one.reason or told}")
        call.console.say(f"figures and results: {Shelf.of(machine).page}")
    return FAILED if any(one.outcome != "passed" for one in found) else 0


def _open(call: Call, machine: Machine, name: str, language: str) -> int:
    from dsvm.cli.inside import shown_page
    from dsvm.learn.lessons import lesson
    from dsvm.machines.pages import open_notebook

    one = lesson(name)
    end = "" if language == "en" else f".{language}"
    shown_page(call, open_notebook(machine, f"learn/{one.name}/{one.name}{end}.ipynb"))
    return 0
