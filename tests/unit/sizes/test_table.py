"""Tables of sizes: read, written, chosen by their day; a person's own and this computer."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsvm.definition import Definition, this_host
from dsvm.definition.sizes import GIB
from dsvm.errors import DsvmError, UsageError
from dsvm.home import Home
from dsvm.sizes import OWN, THIS_COMPUTER, Size, load_sizes
from dsvm.sizes.table import COLUMNS, FOLDER, SOURCES, read_table, write_table

HEAD = ",".join(COLUMNS)


def test_a_row_says_what_a_machine_has_and_costs() -> None:
    rows = "Standard_NC4as_T4_v3,4.0,28,T4,1.0,16,eastus,0.526,0.0789\nD2,2.0,8,,,,eastus,0.096,\n"

    card, plain = read_table(f"{HEAD}\n{rows}", "azure")

    assert card == Size(
        name="Standard_NC4as_T4_v3",
        provider="azure",
        cpus=4,
        memory=28 * GIB,
        accelerator="T4",
        accelerator_count=1,
        accelerator_memory=16 * GIB,
        region="eastus",
        price_hour=0.526,
        spot_price_hour=0.0789,
    )
    assert card.kind == "nvidia"
    assert (plain.accelerator, plain.accelerator_count, plain.spot_price_hour) == (None, 0, None)
    assert plain.kind == "cpu"


names = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789_.-", min_size=1, max_size=30)
prices = st.none() | st.integers(0, 10**6).map(lambda mills: mills / 1000)


@st.composite
def sizes(draw: st.DrawFn) -> Size:
    card = draw(st.none() | names)
    return Size(
        name=draw(names),
        provider="aws",
        cpus=draw(st.integers(1, 512)),
        memory=draw(st.integers(1, 4096)) * GIB // 4,
        accelerator=card,
        accelerator_count=draw(st.sampled_from([0.125, 0.5, 1, 8])) if card else 0,
        accelerator_memory=draw(st.integers(1, 200)) * GIB if card else None,
        region=draw(st.none() | names),
        price_hour=draw(prices),
        spot_price_hour=draw(prices),
    )


@given(st.lists(sizes()))
def test_what_is_written_is_read_back(found: list[Size]) -> None:
    assert read_table(write_table(found), "aws") == found


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("InstanceType,vCPUs\nD2,2\n", "no column MemoryGiB"),
        (f"{HEAD}\nD2,two,8,,,,eastus,0.1,\n", "D2: could not convert"),
        (f"{HEAD}\nD2,2,8,,,,eastus,-1,\n", "D2: no number of a size: -1"),
        (f"{HEAD}\nD2,2,8,,,,eastus,nan,\n", "D2: no number of a size: nan"),
        (f"{HEAD}\nD2,0,8,,,,eastus,1,\n", "a row without a name, CPUs or memory"),
        (f"{HEAD}\nD2\n", "D2"),
    ],
)
def test_a_broken_table_is_named(text: str, cause: str) -> None:
    with pytest.raises(DsvmError, match="the sizes of azure cannot be read") as told:
        read_table(text, "azure")

    assert cause in str(told.value)


def newer(home: Home, day: str, price: str) -> None:
    home.sizes.mkdir(parents=True)
    (home.sizes / SOURCES).write_text(f'[azure]\nsource = "a list"\ndate = {day}\n')
    (home.sizes / "azure.csv").write_text(f"{HEAD}\nD2,2,8,,,,eastus,{price},\n")


def test_the_table_of_the_later_day_counts(tmp_path: Path) -> None:
    home = Home(tmp_path)
    shipped = load_sizes(home)
    newer(home, "2099-01-01", "7")

    table = load_sizes(home)

    assert [one.price_hour for one in table.sizes if one.provider == "azure"] == [7]
    assert next(one for one in table.sources if one.provider == "azure").day.year == 2099
    aws = [one for one in shipped.sizes if one.provider == "aws"]
    assert aws == [one for one in table.sizes if one.provider == "aws"] != []


def test_an_older_table_does_not_count(tmp_path: Path) -> None:
    home = Home(tmp_path)
    newer(home, "2001-01-01", "7")

    assert load_sizes(home) == load_sizes(Home(tmp_path / "empty"))


def test_own_sizes_and_this_computer_stand_first(tmp_path: Path) -> None:
    big = {"cpus": 8, "memory": "64G", "accelerator": "A10", "accelerator_memory": "24G"}
    definition = Definition.model_validate({"name": "lab", "sizes": {"big": big}})

    own, here, *_ = load_sizes(Home(tmp_path), definition).sizes

    assert (own.name, own.provider, own.cpus, own.memory) == ("big", OWN, 8, 64 * GIB)
    assert (own.accelerator, own.accelerator_count) == ("A10", 1)
    assert own.accelerator_memory == 24 * GIB
    assert (here.name, here.cpus, here.memory) == (THIS_COMPUTER, *vars(this_host()).values())
    assert here.price_hour == 0


def test_a_name_that_is_none_is_answered_by_the_nearest(tmp_path: Path) -> None:
    table = load_sizes(Home(tmp_path))
    name = next(one.name for one in table.sizes if one.provider == "azure")

    assert table.named(name).name == name
    with pytest.raises(UsageError, match=r"there is no size") as told:
        table.named(name[:-1] + "x")
    assert name in str(told.value.remedy)


def test_prices_older_than_ninety_days_are_stale(tmp_path: Path) -> None:
    for source in load_sizes(Home(tmp_path)).sources:
        day = source.day
        assert not source.stale(date.fromordinal(day.toordinal() + 90))
        assert source.stale(date.fromordinal(day.toordinal() + 91))


def test_each_table_that_comes_with_dsvm_has_a_ladder_of_sizes() -> None:
    for file in FOLDER.glob("*.csv"):
        found = read_table(file.read_text("utf-8"), file.stem)
        assert len({one.name for one in found}) == len(found) >= 25
        assert all(one.price_hour for one in found)
        assert {one.kind for one in found} == {"cpu", "nvidia"}
        assert min(one.memory for one in found) <= 8 * GIB
        assert max(one.memory for one in found) >= 256 * GIB
        for one in found:
            assert (one.accelerator is None) == (one.accelerator_memory is None)
