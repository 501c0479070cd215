"""Read the tables of sizes: those that come with dsvm, newer ones, this computer's, a person's.

A table has the columns of SkyPilot's catalogue
(https://github.com/skypilot-org/skypilot-catalog); `AcceleratorMemoryGiB` is of one accelerator.
"""

from __future__ import annotations

import csv
import io
import math
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from dsvm.definition import Definition, parse_bytes, this_host
from dsvm.definition.model import OwnSizeDefinition
from dsvm.definition.sizes import GIB
from dsvm.errors import DsvmError
from dsvm.guest.hardware import Look
from dsvm.home import Home
from dsvm.sizes.model import OWN, THIS_COMPUTER, Size, Source, Table

FOLDER = Path(__file__).parent / "tables"
SOURCES = "sources.toml"
COLUMNS = (
    "InstanceType",
    "vCPUs",
    "MemoryGiB",
    "AcceleratorName",
    "AcceleratorCount",
    "AcceleratorMemoryGiB",
    "Region",
    "Price",
    "SpotPrice",
)


def load_sizes(home: Home, definition: Definition | None = None) -> Table:
    """All of them: a person's own, this computer, then the clouds'. A newer table in `home` stands
    before the one that came with dsvm."""
    own = {} if definition is None else definition.sizes
    sizes = [*(own_size(name, one) for name, one in own.items()), this_computer()]
    sources = []
    for folder, source in _newest(FOLDER, home.sizes):
        sources.append(source)
        text = (folder / f"{source.provider}.csv").read_text("utf-8")
        sizes += read_table(text, source.provider)
    return Table(tuple(sizes), tuple(sources))


def own_size(name: str, wanted: OwnSizeDefinition) -> Size:
    """One of `[sizes]` in dsvm.toml."""
    memory = wanted.accelerator_memory
    return Size(
        name=name,
        provider=OWN,
        cpus=wanted.cpus,
        memory=parse_bytes(wanted.memory),
        accelerator=wanted.accelerator,
        accelerator_count=wanted.accelerator_count if wanted.accelerator else 0,
        accelerator_memory=parse_bytes(memory) if memory else None,
        price_hour=wanted.price_hour,
    )


def this_computer() -> Size:
    """All that this computer has, a GPU only if a kernel ran on it; an hour costs nothing more."""
    host, found = this_host(), Look().hardware()
    cards = [one for one in found.gpus if one.vendor == "NVIDIA"] if found.nvidia.usable else []
    return Size(
        name=THIS_COMPUTER,
        provider=THIS_COMPUTER,
        cpus=host.cpus,
        memory=host.memory,
        accelerator=cards[0].name if cards else None,
        accelerator_count=len(cards),
        accelerator_memory=min((one.memory for one in cards if one.memory), default=None),
        price_hour=0.0,
    )


def read_table(text: str, provider: str) -> list[Size]:
    """The rows of one provider. Raises `DsvmError` for a table of another form."""
    rows = csv.DictReader(io.StringIO(text))
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
        raise DsvmError(
            f"the sizes of {provider} cannot be read",
            cause=f"the table has no column {missing[0]}",
            remedy="`dsvm sizes update` fetches it anew",
        )
    return [_size(row, provider) for row in rows]


def write_table(sizes: Iterable[Size]) -> str:
    """The text that `read_table` reads back."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for one in sizes:
        cells = (
            one.name,
            one.cpus,
            one.memory / GIB,
            one.accelerator,
            one.accelerator_count or None,
            None if one.accelerator_memory is None else one.accelerator_memory / GIB,
            one.region,
            one.price_hour,
            one.spot_price_hour,
        )
        table.writerow("" if cell is None else _short(cell) for cell in cells)
    return out.getvalue()


def _short(cell: str | float) -> str:
    return f"{cell:.10g}" if isinstance(cell, float) else str(cell)


def _size(row: Mapping[str, str], provider: str) -> Size:
    try:
        found = Size(
            name=row["InstanceType"],
            provider=provider,
            cpus=int(_number(row["vCPUs"]) or 0),
            memory=_bytes(_number(row["MemoryGiB"])) or 0,
            accelerator=row["AcceleratorName"] or None,
            accelerator_count=_number(row["AcceleratorCount"]) or 0,
            accelerator_memory=_bytes(_number(row["AcceleratorMemoryGiB"])),
            region=row["Region"] or None,
            price_hour=_number(row["Price"]),
            spot_price_hour=_number(row["SpotPrice"]),
        )
    except (ValueError, TypeError) as wrong:
        raise DsvmError(
            f"the sizes of {provider} cannot be read",
            cause=f"{row.get('InstanceType') or 'a row'}: {wrong}",
            remedy="`dsvm sizes update` fetches them anew",
        ) from None
    if not found.name or found.cpus < 1 or found.memory < 1:
        raise DsvmError(
            f"the sizes of {provider} cannot be read",
            cause=f"a row without a name, CPUs or memory: {dict(row)}",
            remedy="`dsvm sizes update` fetches them anew",
        )
    return found


def _number(text: str) -> float | None:
    if not text:
        return None
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"no number of a size: {text}")
    return value


def _bytes(gib: float | None) -> int | None:
    return None if gib is None else int(gib * GIB)


def _sources(folder: Path) -> dict[str, Source]:
    file = folder / SOURCES
    if not file.exists():
        return {}
    told = tomllib.loads(file.read_text("utf-8"))
    return {
        name: Source(name, str(one["source"]), _day(one["date"]), str(one.get("note", "")))
        for name, one in told.items()
    }


def _day(value: object) -> date:
    if not isinstance(value, date):
        raise DsvmError(f"the date of a table of sizes is none: {value}")
    return value


def _newest(*folders: Path) -> list[tuple[Path, Source]]:
    """For each provider the table of the latest day; of the last folder where days are equal."""
    found: dict[str, tuple[Path, Source]] = {}
    for folder in folders:
        for name, source in _sources(folder).items():
            if name not in found or source.day >= found[name][1].day:
                found[name] = (folder, source)
    return list(found.values())
