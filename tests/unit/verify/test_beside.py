"""Checks that need another tool: where it is, they are run; where it is not, nobody misses them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dsvm.catalog import load_catalog
from dsvm.catalog.model import Check, Tool
from dsvm.home import Home
from dsvm.lock.model import Choice
from dsvm.machines.ssh import Ssh
from dsvm.verify.scratch import Scratch
from dsvm.verify.setting import Setting
from dsvm.verify.tool_checks import jobs_of
from tests.unit.machines.support import machine

GIT, VIM = (load_catalog().tool(name) for name in ("git", "vim"))
PAIR = GIT.model_copy(
    update={"checks": [*GIT.checks, Check(name="pair", run="check.sh", beside=["vim"])]}
)


def setting(folder: Path, tools: Sequence[Tool], **unreached: str) -> Setting:
    known = machine(Home(folder))
    choices = [Choice(tool=name, origin=None, why=why) for name, why in unreached.items()]
    lock = known.record.lock.model_copy(update={"choices": tuple(choices)})
    lab = machine(Home(folder), lock=lock)
    return Setting(
        lab, tools, Scratch(Ssh.__new__(Ssh), "/scratch"), {"state": None, "loop_s": 0.01}
    )


def names(found: Setting) -> list[str]:
    return [job.name for job in jobs_of(PAIR, found)]


def test_a_check_beside_a_tool_is_part_of_machines_with_that_tool(tmp_path: Path) -> None:
    alone = [f"git: {check.name}" for check in GIT.checks]

    assert names(setting(tmp_path, [PAIR])) == alone
    assert names(setting(tmp_path, [PAIR, VIM])) == [*alone, "git: pair"]


def test_a_check_beside_a_tool_that_was_not_reached_is_not_tested(tmp_path: Path) -> None:
    found = setting(tmp_path, [PAIR, VIM], vim="no network")

    told = list(jobs_of(PAIR, found))[-1].work()

    assert (told.check, told.outcome) == ("pair", "not_tested")
    assert told.reason == "unreachable: no network"
