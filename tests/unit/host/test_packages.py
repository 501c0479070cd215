"""Which host packages are missing, what is said about them, and who may install them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.console import Plain
from dsvm.engines import all_engines
from dsvm.engines.base import Engine
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.host.packages import Need, ensure, installed_by_dsvm, missing, needs
from dsvm.progress import Silent

THERE = Need("sh", "dash", "runs scripts")
LACKING = Need("no-such-program", "no-such-package", "shows what is missing")


class Heard(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def no(_question: str) -> bool:
    return False


def yes(_question: str) -> bool:
    return True


def test_nothing_missing_changes_nothing_and_asks_nothing(tmp_path: Path) -> None:
    assert ensure([THERE], Home(tmp_path), Silent(), agree=no) == []
    assert not list(tmp_path.iterdir())


def test_without_root_the_administrators_line_is_the_remedy(tmp_path: Path) -> None:
    heard = Heard()

    with pytest.raises(DsvmError) as refused:
        ensure([THERE, LACKING], Home(tmp_path), heard, agree=yes, root=False)

    assert refused.value.lines() == [
        "error: this host lacks a package that dsvm needs",
        "  cause: installing them takes root",
        "hint: sudo apt-get install -y --no-install-recommends no-such-package",
    ]
    assert heard.notes == ["needs no-such-package (no-such-program): shows what is missing"]


def test_who_says_no_gets_the_line_to_do_it_by_hand(tmp_path: Path) -> None:
    with pytest.raises(DsvmError) as refused:
        ensure([LACKING], Home(tmp_path), Silent(), agree=no, root=True)

    assert refused.value.what == "nothing was installed"
    assert refused.value.remedy is not None
    assert refused.value.remedy.endswith(
        "apt-get install -y --no-install-recommends no-such-package"
    )


def test_a_need_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keyring.gpg"
    need = Need("keyring", "debian-archive-keyring", "signs", path=file)

    assert missing([need]) == [need]
    file.touch()
    assert missing([need]) == []


def test_programs_in_sbin_are_found_whatever_the_users_path_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert missing([Need("ldconfig", "libc-bin", "is always there")]) == []


@pytest.mark.parametrize("engine", all_engines(), ids=lambda engine: engine.name)
def test_every_need_has_a_package_and_a_reason(engine: Engine) -> None:
    found = needs(engine, root=False)

    assert set(engine.programs()) <= {need.program for need in found}
    assert all(need.package and need.why for need in found)
    assert len({need.program for need in found}) == len(found)


def test_only_the_chosen_engines_programs_are_needed() -> None:
    without = {need.program for need in needs(None, root=True)}

    for engine in all_engines():
        extra = {need.program for need in needs(engine, root=True)} - without
        assert extra <= set(engine.programs())


def test_what_was_installed_is_remembered_for_doctor(tmp_path: Path) -> None:
    from dsvm.host import packages

    home = Home(tmp_path / "home")
    assert installed_by_dsvm(home) == {}

    packages._record(home, [LACKING])
    packages._record(home, [THERE])

    assert installed_by_dsvm(home) == {
        "dash": "runs scripts",
        "no-such-package": "shows what is missing",
    }


def test_plain_lines_say_what_is_installed_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    with pytest.raises(DsvmError):
        ensure([LACKING], Home(tmp_path), Plain(sys.stderr), agree=no, root=True)

    assert capsys.readouterr().err == (
        "needs no-such-package (no-such-program): shows what is missing\n"
    )
