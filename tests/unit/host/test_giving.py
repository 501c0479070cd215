"""Whether machines can be given a GPU is asked of each engine, and only where there is one."""

from __future__ import annotations

from pathlib import Path

from dsvm.engines.base import Engine, Unusable
from dsvm.host.giving import NONE, findings
from tests.unit.guest.computers import plain, with_h100


class Giving:
    """An engine that only answers."""

    def __init__(self, name: str, answer: Unusable | None) -> None:
        self.name, self.answer = name, answer

    def gives(self, names: tuple[str, ...]) -> Unusable | None:
        assert names == ()
        return self.answer


def engines(*all_: Giving) -> list[Engine]:
    return list(all_)  # type: ignore[arg-type]


def test_without_a_gpu_nothing_was_tested_and_nothing_is_claimed(tmp_path: Path) -> None:
    found = findings(engines(Giving("one", None)), plain(tmp_path))

    assert [(line.ok, line.text) for line in found] == [(None, NONE)]


def test_each_engine_says_whether_and_why_not(tmp_path: Path) -> None:
    both = engines(Giving("one", None), Giving("two", Unusable("the IOMMU is off", "switch it on")))

    found = findings(both, with_h100(tmp_path))

    assert [(line.name, line.ok, line.text, line.remedy) for line in found] == [
        ("GPU with one", True, "machines can be given it", None),
        ("GPU with two", None, "the IOMMU is off", "switch it on"),
    ]
