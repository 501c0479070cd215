"""All that a person sees: stdout is data, stderr the rest.

On a terminal long work shows bars (rich); elsewhere plain lines, one at the start and one at the
end of a step and a heartbeat between. `NO_COLOR` is obeyed, colour never carries meaning.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from dsvm.progress import Progress, Step, StepContext

if TYPE_CHECKING:  # rich takes 60 ms to import: only where bars are shown
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

HEARTBEAT_S = 15.0
GAP = "  "


def size(count: float) -> str:
    """Bytes as a person reads them, binary units: `4.1 GiB`."""
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def span(seconds: float) -> str:
    """A length of time: `4.2 s`, `3 min 10 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def table(rows: Sequence[Mapping[str, str]], columns: Sequence[str], width: int) -> list[str]:
    """Rows below their column's names; the last column is folded at `width`, with its indent."""
    cells = [[name.upper() for name in columns]]
    cells += [[row.get(name, "") for name in columns] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns) - 1)]
    indent = sum(widths) + len(GAP) * len(widths)
    room = max(20, width - indent)
    lines: list[str] = []
    for line in cells:
        head = "".join(cell.ljust(wide) + GAP for cell, wide in zip(line, widths, strict=False))
        first, *more = _folded(line[-1], room)
        lines.append((head + first).rstrip())
        lines += [" " * indent + part for part in more]
    return lines


def _folded(text: str, room: int) -> list[str]:
    import textwrap

    parts: list[str] = []
    for line in text.splitlines():
        parts += textwrap.wrap(line, room, break_on_hyphens=False) or [""]
    return parts or [""]


def has_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Console:
    """One for each call of dsvm; a context, so that bars are always taken off the terminal."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.progress: Progress = Bar(self.err) if self._bars() else Plain(self.err)

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        if isinstance(self.progress, Bar):
            self.progress.close()

    @property
    def width(self) -> int:
        """Columns of the terminal that stdout is; without one, lines are not folded."""
        if not self.out.isatty():
            return 10_000
        try:
            return os.get_terminal_size(self.out.fileno()).columns or 80
        except OSError:
            return 80

    def data(self, text: str) -> None:
        """A line of what was asked for, on stdout."""
        print(text, file=self.out)

    def json(self, value: object) -> None:
        import json

        self.data(json.dumps(value, indent=2, ensure_ascii=False))

    def table(self, rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> None:
        for line in table(rows, columns, self.width):
            self.data(line)

    def say(self, text: str) -> None:
        """A line for the person, on stderr."""
        self.progress.note(text)

    def warn(self, text: str) -> None:
        self.say(f"warning: {text}")

    def error(self, lines: Sequence[str]) -> None:
        """An error as `DsvmError.lines` gives it; its first word is red where there is colour."""
        self.close()
        colour = has_colour(self.err)
        for line in lines:
            for word, code in (("error:", "1;31"), ("hint:", "1;36")):
                if colour and line.startswith(word):
                    line = f"\x1b[{code}m{word}\x1b[0m{line.removeprefix(word)}"
            print(line, file=self.err)
        self.err.flush()

    def ask(self, question: str) -> bool:
        """Yes or no from the terminal; no at the end of input."""
        self.close()
        print(f"{question} [y/N] ", end="", file=self.err, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @property
    def interactive(self) -> bool:
        return sys.stdin.isatty() and self.err.isatty()

    def _bars(self) -> bool:
        return self.err.isatty() and os.environ.get("TERM") != "dumb"


class Plain:
    """Progress as plain lines, for logs and pipes."""

    def __init__(self, err: TextIO, heartbeat_s: float = HEARTBEAT_S) -> None:
        self.err = err
        self.heartbeat_s = heartbeat_s
        self.lock = threading.Lock()

    def step(self, name: str, total: int | None = None, unit: str = "bytes") -> StepContext:
        return _PlainStep(self, name, total, unit)

    def note(self, text: str) -> None:
        with self.lock:
            print(text, file=self.err, flush=True)


class _PlainStep:
    """Tells its start, its end, and every heartbeat how far it is. Quick steps only their end."""

    def __init__(self, plain: Plain, name: str, total: int | None, unit: str) -> None:
        self.plain, self.name, self.total, self.unit = plain, name, total, unit
        self.done = 0
        self.doing = ""
        self.ended = threading.Event()

    def __enter__(self) -> Step:
        self.began = time.monotonic()
        of = f" ({_amount(self.total, self.unit)})" if self.total and self.unit != "%" else ""
        self.plain.note(f"{self.name}{of} ...")
        self.beat = threading.Thread(target=self._beat, daemon=True)
        self.beat.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        self.beat.join()
        took = span(time.monotonic() - self.began)
        outcome = "done" if kind is None else "stopped"
        self.plain.note(f"{self.name}: {outcome} in {took}")

    def advance(self, amount: int) -> None:
        with self.plain.lock:
            self.done += amount

    def say(self, text: str) -> None:
        self.doing = text

    def _beat(self) -> None:
        while not self.ended.wait(self.plain.heartbeat_s):
            self.plain.note(f"{self.name}: {', '.join(self._state())}")

    def _state(self) -> list[str]:
        elapsed = time.monotonic() - self.began
        state = [self.doing] if self.doing else []
        if self.total or self.done:
            state.append(_amount(self.done, self.unit) + _of(self.total, self.unit))
        state.append(f"{span(elapsed)} so far")
        if self.total and 0 < self.done < self.total:
            state.append(f"about {span(elapsed / self.done * (self.total - self.done))} left")
        return state


def _of(total: int | None, unit: str) -> str:
    """The part of `1 MiB of 3 MiB` behind the first amount; a percentage needs none."""
    return f" of {_amount(total, unit)}" if total and unit != "%" else ""


def _amount(count: int, unit: str) -> str:
    return size(count) if unit == "bytes" else f"{count} {unit}"


class Bar:
    """Progress as bars with sizes and the time left. The bars appear with the first step."""

    def __init__(self, err: TextIO) -> None:
        self.err = err
        self.lock = threading.Lock()
        self.bars: Bars | None = None

    @contextmanager
    def step(self, name: str, total: int | None = None, unit: str = "bytes") -> Iterator[Step]:
        bars = self._started()
        task = bars.add_task(name, total=total, doing="", amount="")
        began = time.monotonic()
        try:
            yield _BarStep(bars, task, total, unit)
        except BaseException:
            bars.remove_task(task)
            raise
        bars.remove_task(task)
        self.note(f"✓ {name} ({span(time.monotonic() - began)})")

    def note(self, text: str) -> None:
        with self.lock:
            bars = self.bars
        if bars is None:
            print(text, file=self.err, flush=True)
        else:
            bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        with self.lock:
            bars, self.bars = self.bars, None
        if bars is not None:
            bars.stop()

    def _started(self) -> Bars:
        with self.lock:
            if self.bars is None:
                self.bars = _bars(self.err)
                self.bars.start()
            return self.bars


def _bars(err: TextIO) -> Bars:
    from rich.console import Console as Rich
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Left

    terminal = Rich(file=err, no_color=not has_colour(err), highlight=False)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeElapsedColumn(),
        Left(compact=True, elapsed_when_finished=False),
        TextColumn("{task.fields[doing]}", markup=False),
        console=terminal,
        transient=True,
    )


class _BarStep:
    def __init__(self, bars: Bars, task: TaskID, total: int | None, unit: str) -> None:
        self.bars, self.task, self.unit = bars, task, unit
        self.of = _of(total, unit)
        self.done = 0
        self.lock = threading.Lock()

    def advance(self, amount: int) -> None:
        with self.lock:
            self.done += amount
            done = self.done
        self.bars.update(self.task, completed=done, amount=_amount(done, self.unit) + self.of)

    def say(self, text: str) -> None:
        self.bars.update(self.task, doing=text)
