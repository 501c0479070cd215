"""tools | tools new | tools test: the catalog, and tools of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli import complete
from dsvm.cli.call import Call, command

if TYPE_CHECKING:
    from dsvm.catalog import Catalog
    from dsvm.catalog.model import Tool
    from dsvm.verify.trial import Setup, Trial

PathOption = Annotated[
    Path | None,
    typer.Option(
        "--path",
        metavar="FOLDER",
        help="The folder of your tools; default: `[catalog] paths` of dsvm.toml, else ./our-tools.",
        file_okay=False,
    ),
]
OWN = Path("our-tools")


def register(app: typer.Typer) -> None:
    command(app, "find", json=True)(find)
    command(app, "new")(new)
    command(app, "test", json=True)(prove_new)


def find(
    call: Call,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TOOL | WORD...]",
            help="The page of this tool, or the tools that have all of these words.",
            autocompletion=complete.tools,
        ),
    ] = None,
    outdated: Annotated[
        bool,
        typer.Option("--outdated", help="Only what the sources have newer than dsvm.lock here."),
    ] = False,
    site: Annotated[
        Path | None,
        typer.Option(
            "--site",
            metavar="FOLDER",
            help="Write all pages as HTML there, with what was last measured.",
            file_okay=False,
        ),
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="With --site: measured by this report; may be repeated; default: those of the "
            "machine here.",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """List the tools, search them, or show the page of one; `dsvm tools WORD` does the same.

    Words are looked for in names, titles, summaries, groups, and in what a tool replaces.
    """
    from dsvm.catalog.search import find_tools, replaced
    from dsvm.cli.definition import catalog_here

    catalog = catalog_here()
    if site:
        _write_site(call, site, catalog, report or [])
        return
    if outdated:
        _outdated(call, words or [])
        return
    if words and len(words) == 1 and words[0] in catalog.tools:
        _page(call, catalog, catalog.tools[words[0]])
        return
    found = find_tools(catalog, words or [])
    if words and not found:
        catalog.tool(" ".join(words))  # raises, with the nearest name
    entries = [_entry(catalog, tool) for tool in found]
    if call.json:
        call.console.json(entries)
        return
    rows = [{key: _text(value) for key, value in entry.items()} for entry in entries]
    call.console.table(rows, ["name", "group", "profiles", "licence", "summary"])
    for tool in found:
        if old := replaced(tool, words or []):
            note = f" {tool.note}" if tool.note else ""
            call.console.say(f"`{tool.name}` stands in for {', '.join(old)}.{note}")


def _outdated(call: Call, words: list[str]) -> None:
    """What an upgrade would move of the tools themselves; the lock stays as it is."""
    from dsvm.build.build import proven_lock
    from dsvm.catalog.compose import compose
    from dsvm.cli.definition import definition_path, lock_of
    from dsvm.lock.upgrade import newer

    path = definition_path()
    lock = lock_of(path)
    _, composition = compose(path)
    tools = [tool for tool in composition.tools if not words or tool.name in words]
    now = proven_lock(composition, call.home, old=lock, upgrade=None, progress=call.progress)
    found = newer(tools, lock, now)
    if call.json:
        call.console.json([vars(one) for one in found])
        return
    rows = [{key: value or "" for key, value in vars(one).items()} for one in found]
    if rows:
        call.console.table(rows, ["tool", "package", "locked", "now", "held"])
    call.console.say(f"{len(found)} newer; `dsvm lock --upgrade [TOOL...]` moves them")


def _write_site(call: Call, folder: Path, catalog: Catalog, files: list[Path]) -> None:
    from dsvm.verify.site import measured, read_report, write_site

    reports = [read_report(file) for file in files or _reports_here(call)]
    index = write_site(folder, catalog, measured(reports))
    call.console.data(str(index))
    if not reports:
        call.console.say("nothing was measured: no report was named, and no machine is here")


def _reports_here(call: Call) -> list[Path]:
    """All reports of the machine that the definition here made, if there is one."""
    from dsvm.definition import find, read_name
    from dsvm.machines.reports import whole_reports
    from dsvm.machines.state import Machines

    path = find(Path.cwd())
    machine = Machines(call.home).find(read_name(path)) if path else None
    return whole_reports(machine) if machine else []


def new(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new tool's.")],
    path: PathOption = None,
) -> None:
    """Write the folder of a tool of your own to start from; it works as it stands."""
    from dsvm.catalog.new import new_tool

    own = _own_folders()
    place = path or next(iter(own), OWN)
    folder = new_tool(name, place)
    call.console.data(str(folder))
    call.console.say(f"edit {folder}/tool.toml; each of its lines says what it is for")
    known = place.resolve() in own
    if not known:
        call.console.say(f'in dsvm.toml: [catalog] paths = ["{place}"]')
    where = "" if known or (place == OWN and not own) else f" --path {place}"
    call.console.say(f"then `dsvm tools test {name}{where}`, and `dsvm add {name}`")


def prove_new(
    call: Call,
    name: Annotated[
        str,
        typer.Argument(metavar="TOOL", help="The tool to try.", autocompletion=complete.tools),
    ],
    path: PathOption = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the machine running, to look at and to go on.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option(metavar="ENGINE", help="What runs it.", autocompletion=complete.engines),
    ] = "auto",
) -> int:
    """Make a machine with just this tool: check it, run its example, break it in each way it lists.

    Fails when a check passes a broken tool, or does not say why in the words that are expected.
    """
    from dsvm.catalog import load_catalog
    from dsvm.cli.prove import CHECK_FAILED
    from dsvm.host.prepare import prepare
    from dsvm.verify.trial import try_tool

    own = _own_folders()
    named = [path.resolve()] if path else []
    unnamed = [] if own or path or not OWN.is_dir() else [OWN.resolve()]
    folders = list(dict.fromkeys([*own, *named, *unnamed]))
    tool = load_catalog(folders).tool(name)
    setup = _setup(folders, engine, keep)
    prepare(engine, call.home, call.progress, agree=call.agree)
    trial = try_tool(tool, setup, call.home, call.progress)
    if call.json:
        call.console.json(trial.json())
    else:
        _show(call, trial)
    return CHECK_FAILED if trial.failed else 0


def _setup(folders: list[Path], engine: str, keep: bool) -> Setup:
    """The base, sources and locked versions of the definition here, if there is one."""
    from dsvm.catalog.compose import resolved
    from dsvm.definition import Definition, find, read
    from dsvm.lock import lock_beside
    from dsvm.verify.trial import Setup

    path = find(Path.cwd())
    if path is None:
        base = str(Definition.model_fields["base"].default)
        return Setup(base, folders, engine=engine, keep=keep)
    said = read(path)
    return Setup(
        said.base,
        folders,
        sources=resolved(said.sources, path.parent),
        lock=lock_beside(path),
        engine=engine,
        keep=keep,
    )


def _own_folders() -> list[Path]:
    """The tool folders that the definition here names."""
    from dsvm.cli.definition import own_catalogs

    return own_catalogs()


def _show(call: Call, trial: Trial) -> None:
    from dsvm.cli.prove import MARKS
    from dsvm.console import span

    rows = [
        {
            "": MARKS[step.outcome],
            "what": step.name,
            "time": span(step.seconds),
            "why": step.reason or "",
        }
        for step in trial.steps
    ]
    call.console.table(rows, ["", "what", "time", "why"])
    if trial.kept:
        call.console.say(f"kept: `dsvm ssh {trial.machine}`; `dsvm rm {trial.machine}` removes it")


def _page(call: Call, catalog: Catalog, tool: Tool) -> None:
    """All about one tool, with the version that the lock here has of it."""
    entry = _one_tool(tool, _entry(catalog, tool)) | _locked(tool)
    if call.json:
        call.console.json(entry)
        return
    shown = entry | {"example": f"{tool.example.run}\nprints: {tool.example.prints}"}
    del shown["prints"]
    rows = [{"": key, tool.title: _text(value)} for key, value in shown.items() if value]
    call.console.table(rows, ["", tool.title])


def _locked(tool: Tool) -> dict[str, object]:
    """What the lock of the definition here has of the tool, and why not something newer."""
    from dsvm.definition import find

    path = find(Path.cwd())
    if path is None:
        return {"versions": {}, "held": None}
    from dsvm.lock import lock_beside
    from dsvm.lock.versions import versions_of

    lock = lock_beside(path)
    held = (str(one) for one in lock.held if one.tool == tool.name) if lock else iter(())
    return {"versions": versions_of(tool, lock) if lock else {}, "held": next(held, None)}


def _entry(catalog: Catalog, tool: Tool) -> dict[str, object]:
    return {
        "name": tool.name,
        "title": tool.title,
        "group": tool.group,
        "summary": tool.summary,
        "licence": tool.licence,
        "sources": tool.sources,
        "profiles": catalog.profiles_of(tool.name),
    }


def _one_tool(tool: Tool, entry: dict[str, object]) -> dict[str, object]:
    """All that the catalog says of one tool."""
    return entry | {
        "homepage": tool.homepage,
        "requires": tool.requires,
        "environment": tool.lives_in,
        "packages": tool.apt,
        "apps": [app.name for app in tool.apps],
        "checks": [check.name for check in tool.checks],
        "start": tool.start,
        "example": tool.example.run,
        "prints": tool.example.prints,
        "replaces": tool.replaces,
        "note": tool.note,
    }


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
