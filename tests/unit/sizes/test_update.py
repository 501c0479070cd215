"""Newer prices: gpuhunt's client against a server that has its catalogue's form."""

from __future__ import annotations

import csv
import functools
import gc
import io
import threading
import zipfile
from collections.abc import Iterator
from datetime import date
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from gpuhunt._internal.catalog import OFFLINE_PROVIDERS

from dsvm.definition.sizes import GIB
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.progress import Silent
from dsvm.sizes import load_sizes
from dsvm.sizes.update import REGIONS, update

FIELDS = (
    *("instance_name", "location", "price", "cpu", "memory", "gpu_count", "gpu_name"),
    *("gpu_memory", "spot", "disk_size", "gpu_vendor", "flags", "cpu_arch", "provider_data"),
)
DAY = "20991027"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def row(name: str, location: str, price: float, **more: Any) -> dict[str, Any]:
    plain = {"cpu": 4, "memory": 16.0, "gpu_count": 0, "spot": False, "cpu_arch": "x86"}
    return {
        **plain,
        "instance_name": name,
        "location": location,
        "price": price,
        "provider_data": "{}",
        **more,
    }


T4 = {"gpu_count": 1, "gpu_name": "T4", "gpu_memory": 16.0, "gpu_vendor": "nvidia"}
ROWS = {
    "aws": [
        row("g4dn.xlarge", "us-east-1", 0.526, **T4),
        row("g4dn.xlarge", "us-east-1a", 0.2, spot=True, **T4),
        row("g4dn.xlarge", "us-east-1b", 0.1, spot=True, **T4),
        row("g4dn.xlarge", "ap-northeast-2", 0.647, **T4),
        row("m7g.xlarge", "us-east-1", 0.1632, cpu_arch="arm"),
        row("g4ad.xlarge", "us-east-1", 0.37, **{**T4, "gpu_vendor": "amd"}),
    ],
    "azure": [row("Standard_D4s_v5", "eastus", 0.192)],
    "gcp": [row("n2-standard-4", "us-central1-a", 0.194)],
}


def publish(folder: Path, provider: str, rows: list[dict[str, Any]]) -> None:
    out = io.StringIO()
    table = csv.DictWriter(out, FIELDS)
    table.writeheader()
    table.writerows(rows)
    place = folder / provider / f"{DAY}-1"
    place.mkdir(parents=True)
    (folder / provider / "version").write_text(f"{DAY}-1\n")
    with zipfile.ZipFile(place / "catalog.zip", "w") as archive:
        archive.writestr(f"{provider}.csv", out.getvalue())


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served as the catalogue is, of all providers."""
    folder = tmp_path / "catalogue"
    for provider in OFFLINE_PROVIDERS:
        publish(folder, provider, ROWS.get(provider, []))
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_newer_prices_take_the_place_of_those_that_came_with_dsvm(
    published: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")

    update(home, REGIONS, Silent())

    table = load_sizes(home)
    clouds = [one for one in table.sizes if one.provider in REGIONS]
    assert {one.name for one in clouds} == {"g4dn.xlarge", "Standard_D4s_v5", "n2-standard-4"}
    card = table.named("g4dn.xlarge")
    assert (card.price_hour, card.spot_price_hour, card.region) == (0.526, 0.1, "us-east-1")
    assert (card.cpus, card.memory, card.accelerator, card.accelerator_count) == (
        *(4, 16 * GIB),
        *("T4", 1),
    )
    assert card.accelerator_memory == 16 * GIB
    assert {one.day for one in table.sources} == {date(2099, 10, 27)}


def test_another_region_has_its_own_prices(published: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    update(home, {"aws": "ap-northeast-2"}, Silent())

    table = load_sizes(home)
    assert table.named("g4dn.xlarge").price_hour == 0.647
    assert any(one.provider == "azure" for one in table.sizes)


def test_a_region_that_nobody_has_changes_nothing(published: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    with pytest.raises(DsvmError, match=r"no prices of aws \(mars-1\)"):
        update(home, {"aws": "mars-1"}, Silent())

    assert load_sizes(home) == load_sizes(Home(tmp_path / "empty"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_catalogue_that_is_not_reached_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", "http://127.0.0.1:9")
    home = Home(tmp_path / "home")

    with pytest.raises(DsvmError, match="no prices could be fetched") as told:
        update(home, REGIONS, Silent())

    assert "refused" in str(told.value)
    assert load_sizes(home) == load_sizes(Home(tmp_path / "empty"))
    del told
    gc.collect()  # gpuhunt leaves sockets of a refused connection to it: none for other tests


def test_what_is_no_catalogue_changes_nothing(published: Path, tmp_path: Path) -> None:
    for provider in OFFLINE_PROVIDERS:
        (published / provider / f"{DAY}-1" / "catalog.zip").write_text("<html>sorry</html>")
    home = Home(tmp_path / "home")

    with pytest.raises(DsvmError, match="no prices"):
        update(home, REGIONS, Silent())

    assert load_sizes(home) == load_sizes(Home(tmp_path / "empty"))
