"""Each line of doctor tells the truth about this host, and what to do where it says no."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.engines.base import Engine, Unusable, Usable
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.host import doctor, facts
from dsvm.host.doctor import engine_finding, usable
from dsvm.host.finding import Finding


class Probed:
    """An engine that only answers."""

    name = "probed"
    rank = 0

    def __init__(self, answer: Usable | Unusable | DsvmError) -> None:
        self.answer = answer

    def programs(self) -> dict[str, str]:
        return {}

    def probe(self) -> Usable | Unusable:
        if isinstance(self.answer, DsvmError):
            raise self.answer
        return self.answer


def finding(answer: Usable | Unusable | DsvmError, home: Path) -> Finding:
    engine: Engine = Probed(answer)  # type: ignore[assignment]
    return engine_finding(engine, Home(home))


def test_a_usable_engine_shows_its_limits(tmp_path: Path) -> None:
    found = finding(Usable(("root inside is root outside",)), tmp_path)

    assert (found.ok, found.notes) == (True, ("root inside is root outside",))
    assert usable([found])


def test_an_unusable_engine_says_why_and_what_to_do(tmp_path: Path) -> None:
    found = finding(Unusable("it needs root", "sudo ./dsvm up"), tmp_path)

    assert (found.ok, found.text, found.remedy) == (False, "it needs root", "sudo ./dsvm up")
    assert not usable([found])


def test_a_probe_that_fails_is_an_unusable_engine(tmp_path: Path) -> None:
    found = finding(DsvmError("no", cause="the kernel refuses"), tmp_path)

    assert (found.ok, found.text) == (False, "the kernel refuses")


def test_the_disk_is_measured_where_dsvm_keeps_things(tmp_path: Path) -> None:
    found = facts.disk(Home(tmp_path / "not" / "there" / "yet"))

    assert f"free at {tmp_path}/not/there/yet" in found.text


@pytest.mark.parametrize(
    "fact", [facts.system, facts.cpus, facts.memory, facts.gpu, facts.kvm], ids=lambda f: f.__name__
)
def test_a_line_that_says_no_has_a_remedy(fact: doctor.Fact) -> None:
    found = fact()

    assert found.text
    assert found.ok is not False or found.remedy


def test_kvm_is_never_called_usable_for_its_device_alone() -> None:
    assert facts.kvm().ok is None
