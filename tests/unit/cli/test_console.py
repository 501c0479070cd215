"""Tables, sizes and times as people read them; progress on and off a terminal."""

from __future__ import annotations

import io
import os
import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsvm.console import Bar, Console, Plain, size, span, table

GIB = 1024**3


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * GIB // 2, "2.5 GiB")],
)
def test_sizes_are_binary(count: int, shown: str) -> None:
    assert size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (42.4, "42 s"), (190, "3 min 10 s"), (7500, "2 h 5 min"), (90000, "1 d 1 h")],
)
def test_times_have_two_units_at_most(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_a_table_folds_its_last_column_below_itself() -> None:
    rows = [{"name": "git", "summary": "one two three four five six"}]

    assert table(rows, ["name", "summary"], 26) == [
        "NAME  SUMMARY",
        "git   one two three four",
        "      five six",
    ]


@given(
    rows=st.lists(st.fixed_dictionaries({"a": st.text("ab "), "b": st.text("xyz \n")}), max_size=4),
    width=st.integers(0, 120),
)
def test_any_table_can_be_shown(rows: list[dict[str, str]], width: int) -> None:
    lines = table(rows, ["a", "b"], width)

    assert len(lines) >= len(rows) + 1
    assert all("\n" not in line for line in lines)


def test_off_a_terminal_a_step_is_a_line_at_its_start_and_its_end() -> None:
    err = io.StringIO()

    with Plain(err).step("fetching", 3 * GIB) as step:
        step.advance(GIB)

    first, last = err.getvalue().splitlines()
    assert first == "fetching (3.0 GiB) ..."
    assert re.fullmatch(r"fetching: done in \d\.\d s", last)


def test_off_a_terminal_a_long_step_shows_a_heartbeat() -> None:
    beat = threading.Event()

    class Seen(io.StringIO):
        def write(self, text: str) -> int:
            if "1.0 GiB of 3.0 GiB" in text:
                beat.set()
            return super().write(text)

    err = Seen()
    with Plain(err, heartbeat_s=0.01).step("fetching", 3 * GIB) as step:
        step.say("linux.deb")
        step.advance(GIB)
        assert beat.wait(10)

    line = next(line for line in err.getvalue().splitlines() if "1.0 GiB of 3.0 GiB" in line)
    assert line.startswith("fetching: linux.deb, 1.0 GiB of 3.0 GiB, ")
    assert line.endswith(" left")


def test_a_step_that_fails_says_that_it_stopped() -> None:
    err = io.StringIO()

    with pytest.raises(RuntimeError), Plain(err).step("locking"):
        raise RuntimeError

    assert err.getvalue().splitlines()[-1].startswith("locking: stopped in ")


def test_on_a_terminal_a_step_is_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as terminal:
        assert isinstance(Console(err=terminal).progress, Bar)
        bar = Bar(terminal)
        with bar.step("fetching [1/2]", 3 * GIB) as step:
            step.advance(GIB)
            step.say("linux.deb")
            assert bar.bars is not None
            bar.bars.refresh()
        bar.close()
        shown = b""
        while "✓".encode() not in shown:
            shown += os.read(leader, 65536)
    os.close(leader)

    assert "1.0 GiB of 3.0 GiB" in shown.decode()
    assert "✓ fetching [1/2]" in shown.decode()


def test_data_and_words_go_to_different_streams() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)

    console.json({"a": "ä"})
    console.say("a word")
    console.warn("careful")

    assert out.getvalue() == '{\n  "a": "ä"\n}\n'
    assert err.getvalue() == "a word\nwarning: careful\n"
