"""The page of a machine's lessons: figures, results and what was demanded, in every language."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from dsvm.learn.lessons import load_lessons
from dsvm.learn.model import Demand, Figure, Lesson, Text
from dsvm.learn.shelf import Ran
from dsvm.verify.pages import shown, template

SPREAD = ", spread"


@dataclass(frozen=True)
class Row:
    """A result as the page shows it; `bounds` is None where nothing is demanded of it."""

    name: Text
    value: Text
    spread: str
    bounds: Text | None


@dataclass(frozen=True)
class Part:
    """A lesson on the page; `ran` is None, and `lacking` the commands that bring
    what it needs, where it did not run."""

    lesson: Lesson
    ran: Ran | None
    lacking: tuple[str, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(rows(self.lesson, self.ran.results)) if self.ran else ()

    @property
    def figures(self) -> list[tuple[str, Figure | None]]:
        """Each picture with what the lesson says of it: both are in the order of their files."""
        drawn = self.ran.figures if self.ran else ()
        told = sorted(self.lesson.figure, key=lambda one: one.file)
        known = told if len(told) == len(drawn) else [None] * len(drawn)
        return list(zip(drawn, known, strict=True))


def gallery(machine: str, tools: Collection[str], ran: Mapping[str, Ran]) -> str:
    """The page, as HTML without scripts; `ran`: the last run of each lesson, by name."""
    parts = [
        Part(one, ran.get(name), tuple(one.commands({*one.needs} - {*tools})))
        for name, one in load_lessons().items()
    ]
    return template("lessons").render(
        machine=machine, parts=parts, seconds=sum(one.seconds for one in ran.values())
    )


def rows(lesson: Lesson, results: Mapping[str, object]) -> Iterator[Row]:
    """One for each result, its spread beside it."""
    demands = {one.name: one for one in lesson.result}
    for name, value in results.items():
        if name.endswith(SPREAD) and name.removesuffix(SPREAD) in results:
            continue
        spread = results.get(name + SPREAD)
        told, demand = shown(value), demands.get(name)
        yield Row(
            name=Text(en=name, ko=lesson.korean.get(name, name)),
            value=Text(en=told, ko=lesson.korean.get(told, told)),
            spread="" if spread is None else f"± {shown(spread)}",
            bounds=bounds(demand) if demand else None,
        )


def bounds(demand: Demand) -> Text:
    """Within which it holds, in words."""
    least, most = (None if one is None else shown(one) for one in (demand.least, demand.most))
    if least is None:
        return Text(en=f"at most {most}", ko=f"{most} 이하")
    if most is None:
        return Text(en=f"at least {least}", ko=f"{least} 이상")
    if least == most:
        return Text(en=f"exactly {least}", ko=f"정확히 {least}")
    return Text(en=f"{least} to {most}", ko=f"{least}에서 {most}까지")
