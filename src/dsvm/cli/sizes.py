"""sizes | sizes update: what machines can have, here and at clouds, and what an hour costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsvm.cli.call import Call, command

if TYPE_CHECKING:
    from dsvm.definition import Definition
    from dsvm.sizes import Size, Table

SHOWN = 20
COLUMNS = ["name", "provider", "cpus", "memory", "accelerator", "hour", "spot", "region"]


def register(app: typer.Typer) -> None:
    command(app, "list", json=True)(listed)
    command(app, "update", json=True)(update)


def listed(
    call: Call,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD...]", help="Only those that have all of these words, as in `azure D4`."
        ),
    ] = None,
    cpus: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="With at least this many CPUs.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="With at least this much, as in `16G`.")
    ] = None,
    gpu: Annotated[
        bool | None, typer.Option("--gpu/--no-gpu", help="Only with a GPU, only without.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"All of them, not the cheapest {SHOWN}.")
    ] = False,
) -> None:
    """List sizes, the cheapest first: your own, this computer, the clouds'.

    `dsvm sizes WORD` does the same. Your own are those of `[sizes]` in dsvm.toml. Prices are in US
    dollars for an hour, without disks and traffic; `-`: not known.
    """
    from dsvm.definition import parse_bytes
    from dsvm.errors import UsageError
    from dsvm.sizes import load_sizes

    try:
        least = parse_bytes(memory) if memory else 0
    except ValueError:
        raise UsageError(f"`{memory}` is no size", remedy="write it like `16G`") from None
    table = load_sizes(call.home, definition_here())
    found = [
        one
        for one in table.sizes
        if one.cpus >= (cpus or 0)
        and one.memory >= least
        and (gpu is None or gpu == bool(one.accelerator))
        and all(word.lower() in _text(one) for word in words or ())
    ]
    found.sort(key=lambda one: (one.price_hour is None, one.price_hour))
    if call.json:
        call.console.json({"sizes": [one.json() for one in found], "sources": _sources(table)})
        return
    shown = found if everything else found[:SHOWN]
    call.console.table([_row(one) for one in shown], COLUMNS)
    if len(shown) < len(found):
        call.console.say(f"{len(found) - len(shown)} more: --all, or say what you look for")
    tell_age(call, table)


def update(
    call: Call,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROVIDER=REGION",
            help="Prices of this region, as in `azure=koreacentral`; may be repeated.",
        ),
    ] = None,
) -> None:
    """Fetch newer prices of the clouds."""
    from dsvm.errors import UsageError
    from dsvm.sizes.update import REGIONS
    from dsvm.sizes.update import update as fetch

    regions = dict(REGIONS)
    for text in region or ():
        provider, _, named = text.partition("=")
        if provider not in REGIONS or not named:
            raise UsageError(
                f"`{text}` names no region of a provider",
                remedy=f"write it like `azure=koreacentral`; there are {', '.join(REGIONS)}",
            )
        regions[provider] = named
    found = fetch(call.home, regions, call.progress)
    if call.json:
        call.console.json([_source(one.provider, one.source, str(one.day)) for one in found])
        return
    for one in found:
        call.console.data(f"{one.provider}: prices of {one.day}, {one.note}")


def definition_here() -> Definition | None:
    """That of this folder or the nearest parent, if there is one."""
    from dsvm.definition import find, read

    path = find(Path.cwd())
    return read(path) if path else None


def tell_age(call: Call, table: Table) -> None:
    """Of which day the prices are; a warning when they are old."""
    from datetime import UTC, datetime

    today = datetime.now(UTC).date()
    for one in table.sources:
        told = f"{one.provider}: prices of {one.day}, {one.days(today)} days old"
        if one.stale(today):
            call.console.warn(f"{told}; `dsvm sizes update` fetches newer ones")
        else:
            call.console.say(told)


def _sources(table: Table) -> list[dict[str, str]]:
    return [_source(one.provider, one.source, str(one.day)) for one in table.sources]


def _source(provider: str, source: str, day: str) -> dict[str, str]:
    return {"provider": provider, "source": source, "date": day}


def _text(one: Size) -> str:
    return " ".join((one.name, one.provider, one.accelerator or "", one.region or "")).lower()


def _row(one: Size) -> dict[str, str]:
    from dsvm.definition import format_bytes
    from dsvm.definition.sizes import MIB

    cards = ""
    if one.accelerator:
        memory = f" {format_bytes(one.accelerator_memory)}" if one.accelerator_memory else ""
        cards = f"{one.accelerator_count:g} x {one.accelerator}{memory}"
    return {
        "name": one.name,
        "provider": one.provider,
        "cpus": str(one.cpus),
        "memory": format_bytes(one.memory // MIB * MIB),
        "accelerator": cards or "-",
        "hour": _price(one.price_hour),
        "spot": _price(one.spot_price_hour),
        "region": one.region or "-",
    }


def _price(dollars: float | None) -> str:
    return "-" if dollars is None else f"${dollars:.3f}"
