"""A lesson as its folder says."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import Field

from dsvm.catalog.model import Check
from dsvm.catalog.origins import OfFolder, Strict
from dsvm.models.tool import tool_name

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = ("en", "ko")


class Text(Strict):
    """The same in every language."""

    en: str
    ko: str


class Demand(Strict):
    """A number that the lesson prints, and the bounds within which it holds."""

    name: str
    least: float | None = None
    most: float | None = None

    def fault(self, value: object) -> str | None:
        """What is wrong with it, or None."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"`{self.name}` is not told"
        if self.least is not None and value < self.least:
            return f"`{self.name}` is {value:g}, at least {self.least:g} is demanded"
        if self.most is not None and value > self.most:
            return f"`{self.name}` is {value:g}, at most {self.most:g} is demanded"
        return None


class Figure(Strict):
    """A picture that the lesson leaves, and what a reader sees on it."""

    file: str
    caption: Text


class Lesson(OfFolder):
    """`environment`: whose kernel it runs on. `tools`, `models`: what the machine must have.
    `order`: its place in the list, by name where several have the same. It runs as a check does
    (`dsvm.catalog.model.Check`): its last line is one JSON object of results (`NAME, spread` is
    that of `NAME` over its seeds), the pictures it leaves are shown. `korean`: what a result, or a
    word as its value, is called in Korean."""

    title: Text
    summary: Text
    order: int
    environment: str
    tools: list[str]
    models: list[str] = Field(default_factory=list)
    timeout_s: float = 300
    memory: str = "1G"
    result: list[Demand] = Field(min_length=1)
    figure: list[Figure] = Field(default_factory=list)
    korean: dict[str, str] = Field(default_factory=dict)

    @property
    def needs(self) -> list[str]:
        """The tools that it needs, those of its models among them."""
        return [*self.tools, *map(tool_name, self.models)]

    def commands(self, missing: Collection[str]) -> list[str]:
        """What brings those of `needs` into a machine."""
        tools = [tool for tool in self.tools if tool in missing]
        models = [model for model in self.models if tool_name(model) in missing]
        found = [f"dsvm add {' '.join(tools)}"] if tools else []
        return [*found, *([f"dsvm models add {' '.join(models)}"] if models else [])]

    def adding(self, missing: Collection[str]) -> str:
        """The same, as a remedy says it."""
        return " and ".join(f"`{command}`" for command in self.commands(missing))

    @property
    def check(self) -> Check:
        return Check(
            name=self.name,
            run="lesson.py",
            environment=self.environment,
            timeout_s=self.timeout_s,
            memory=self.memory,
        )

    def fault(self, results: dict[str, object]) -> str | None:
        """Which of the results do not hold, or None."""
        return (
            "; ".join(f for one in self.result if (f := one.fault(results.get(one.name)))) or None
        )
