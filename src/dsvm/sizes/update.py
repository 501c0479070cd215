"""Newer prices, from the lists that gpuhunt keeps: https://github.com/dstackai/gpuhunt.

Its catalogue has no key and no account; `GPUHUNT_CATALOG_URL` names a copy of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import tomlkit

from dsvm.definition.sizes import GIB
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.progress import Progress
from dsvm.sizes.model import Size, Source
from dsvm.sizes.table import SOURCES, write_table
from dsvm.whole import write_whole

REGIONS: Mapping[str, str] = {"azure": "eastus", "aws": "us-east-1", "gcp": "us-central1"}
"""Of which region the prices are unless another is named: as in the tables that come with dsvm."""
SOURCE = "https://github.com/dstackai/gpuhunt"
_DAY = 8  # a version begins with the day, as in 20261027


def update(home: Home, regions: Mapping[str, str], progress: Progress) -> list[Source]:
    """Fetch the lists and keep those sizes that these regions have; what is fetched counts from
    now on. Raises `DsvmError` when nothing could be fetched, and nothing is changed then."""
    import gpuhunt

    logging.getLogger("gpuhunt").setLevel(logging.CRITICAL)  # it tells of others than these
    catalog = gpuhunt.Catalog(balance_resources=False, auto_reload=False)
    with progress.step("fetching prices"):
        try:
            catalog.load()
        except (gpuhunt.GPUHuntError, OSError) as wrong:
            raise DsvmError(
                "no prices could be fetched; the sizes are as before",
                cause=str(wrong.__cause__ or wrong),
                remedy="try again where the Internet is reached, or add sizes of your own: [sizes]",
            ) from None
    found = {
        provider: sizes
        for provider, region in regions.items()
        if provider in catalog.catalog
        and (sizes := sizes_of(catalog.catalog[provider].items, provider, region))
    }
    if missing := [f"{one} ({region})" for one, region in regions.items() if one not in found]:
        raise DsvmError(
            f"there are no prices of {', '.join(missing)}; the sizes are as before",
            remedy="`dsvm sizes update --region PROVIDER=REGION` names another region",
        )
    sources = [
        Source(name, SOURCE, _day(catalog.catalog[name].version), f"region {regions[name]}")
        for name in found
    ]
    _keep(home, found, sources)
    return sources


def sizes_of(items: Iterable[object], provider: str, region: str) -> list[Size]:
    """The sizes of one region, those with NVIDIA's GPUs or none, in the order of their names."""
    from gpuhunt import AcceleratorVendor, CatalogItem, CPUArchitecture

    found: dict[str, Size] = {}
    for item in items:
        assert isinstance(item, CatalogItem)
        # a zone, `us-east-1a`, is in its region
        if not item.location.startswith(region) or item.cpu_arch is not CPUArchitecture.X86:
            continue
        if item.gpu_count and item.gpu_vendor is not AcceleratorVendor.NVIDIA:
            continue
        one = found.get(item.instance_name) or Size(
            name=item.instance_name,
            provider=provider,
            cpus=item.cpu,
            memory=int(item.memory * GIB),
            accelerator=item.gpu_name if item.gpu_count else None,
            accelerator_count=item.gpu_count,
            accelerator_memory=int(item.gpu_memory * GIB) if item.gpu_memory else None,
            region=region,
        )
        kind = "spot_price_hour" if item.spot else "price_hour"
        known = getattr(one, kind)
        price = item.price if known is None else min(known, item.price)
        found[item.instance_name] = replace(one, **{kind: price})
    return [found[name] for name in sorted(found)]


def _keep(home: Home, found: Mapping[str, Sequence[Size]], sources: Sequence[Source]) -> None:
    folder = home.sizes
    folder.mkdir(parents=True, exist_ok=True)
    for provider, sizes in found.items():
        write_whole(folder / f"{provider}.csv", write_table(sizes).encode())
    told = tomlkit.document()
    for one in sources:
        told[one.provider] = {"source": one.source, "date": one.day, "note": one.note}
    write_whole(folder / SOURCES, told.as_string().encode())


def _day(version: str) -> date:
    try:
        return datetime.strptime(version[:_DAY], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return datetime.now(UTC).date()
