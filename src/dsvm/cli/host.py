"""doctor, hardware and gc: this host, and what dsvm keeps on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli import complete
from dsvm.cli.call import Call, command, machine_meant

if TYPE_CHECKING:
    from dsvm.host.finding import Finding

MARKS = {True: "ok", False: "NO", None: "-"}


def register(app: typer.Typer) -> None:
    command(app, json=True)(gc)
    command(app, json=True)(doctor)
    command(app, json=True)(hardware)


def gc(
    call: Call,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be freed.")
    ] = False,
) -> None:
    """Free what no machine and no lock here needs: downloads, layers, images, caches."""
    from dsvm.console import size
    from dsvm.definition import find
    from dsvm.machines.gc import gc as free

    here = find(Path.cwd())
    folders = (here.parent,) if here else ()
    freed = free(call.home, folders=folders, dry_run=dry_run)
    if call.json:
        call.console.json({"freed": freed.by_kind, "bytes": freed.total, "dry_run": dry_run})
        return
    rows = [{"kind": kind, "size": size(count)} for kind, count in freed.by_kind.items()]
    call.console.table(rows, ["kind", "size"])
    call.console.say(f"{size(freed.total)} {'would be' if dry_run else 'is'} freed")


def doctor(call: Call) -> int:
    """What this host can do, with a remedy on each line that says no."""
    from dsvm.engines import all_engines
    from dsvm.host.doctor import examine, usable

    findings = examine(call.home, all_engines(call.home), call.progress)
    if call.json:
        call.console.json([_json(finding) for finding in findings])
    else:
        call.console.table([_row(finding) for finding in findings], ["", "what", "found"])
    return 0 if usable(findings) else 1


def hardware(
    call: Call,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A machine; default: this computer.",
            autocompletion=complete.machines,
        ),
    ] = None,
) -> None:
    """Processors, memory and GPUs, why a GPU is not used, and whether machines can be given it."""
    from dsvm.engines import all_engines
    from dsvm.guest.hardware import Look, rows
    from dsvm.host.giving import findings
    from dsvm.machines.hardware import inside

    told = inside(machine_meant(call, name)) if name else Look().hardware().json()
    giving = [] if name else findings(all_engines(call.home))
    if call.json:
        more = {} if name else {"giving": [_json(finding) for finding in giving]}
        call.console.json({**told, **more})
        return
    shown = [{"what": what, "found": found} for what, found in rows(told)]
    shown += [{"what": one.name, "found": _row(one)["found"]} for one in giving]
    call.console.table(shown, ["what", "found"])


def _row(finding: Finding) -> dict[str, str]:
    took = f" ({finding.seconds:.1f} s)" if finding.seconds is not None else ""
    lines = [finding.text + took, *finding.notes]
    if finding.remedy:
        lines.append(f"hint: {finding.remedy}")
    return {"": MARKS[finding.ok], "what": finding.name, "found": "\n".join(lines)}


def _json(finding: Finding) -> dict[str, object]:
    return {
        "group": finding.group,
        "name": finding.name,
        "ok": finding.ok,
        "text": finding.text,
        "remedy": finding.remedy,
        "notes": list(finding.notes),
        "seconds": finding.seconds,
    }
