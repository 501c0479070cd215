"""`dsvm tools new` and `dsvm tools test`: a tool of one's own, from its folder to its proof."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dsvm.home import Home
from dsvm.machines.state import Machines
from tests.system.typed import CHECKOUT, Dsvm

TRUSTING = "command -v jq || true\n"
VAGUE = (
    'set -eu\n[ "$(jq .a <<< \'{"a": 1}\')" = 1 ] || { echo "jq is out of order" >&2; exit 1; }\n'
)
# A check that only a machine with git has, too, and a break that only it notices.
BESIDE = """
[[check]]
name = "kept in git"
run = "check_git.sh"
beside = ["git"]

[[break]]
name = "git tells nothing"
run = "mv /usr/bin/git /root/git && ln -s /bin/true /usr/bin/git"
undo = "mv /root/git /usr/bin/git"
expect = "kept in git: git has kept nothing of 42"
"""
KEPT = """\
set -eu
mkdir kept
cd kept
git init -q
jq -n '6 * 7' > answer.json
git -c user.name=t -c user.email=t@example.org add answer.json
git -c user.name=t -c user.email=t@example.org commit -qm answer
kept=$(git show HEAD:answer.json)
[ "$kept" = 42 ] || { echo "git has kept ${kept:-nothing} of 42" >&2; exit 1; }
"""


@dataclass(frozen=True)
class Workshop:
    """A folder with one new tool, `sums`."""

    dsvm: Dsvm
    home: Home
    folder: Path

    @property
    def tool(self) -> Path:
        return self.folder / "our-tools" / "sums"

    def tried(self, *words: str) -> tuple[int, dict[str, Any]]:
        """The exit code of `dsvm tools test`, and step -> (outcome, reason)."""
        done = self.dsvm(
            "tools", "test", "sums", "--yes", "--json", *words, cwd=self.folder, timeout_s=1800
        )
        assert done.stdout, done.stderr
        steps = json.loads(done.stdout)["steps"]
        return done.returncode, {s["name"]: (s["outcome"], s["reason"]) for s in steps}

    def machines(self) -> list[str]:
        return [name for name in Machines(self.home).names() if name.startswith("try-")]


@pytest.fixture(scope="module")
def workshop(
    home: Home, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workshop]:
    folder = tmp_path_factory.mktemp("workshop")
    (folder / "dsvm.toml").write_text('name = "workshop"\n')
    made = dsvm("tools", "new", "sums", cwd=folder)
    assert made.returncode == 0, made.stderr
    text = 'name = "workshop"\nprofile = ""\n[catalog]\npaths = ["./our-tools"]\n'
    (folder / "dsvm.toml").write_text(text)
    yield Workshop(dsvm, home, folder)
    dsvm("rm", "try-sums", "--yes")


def test_a_new_tool_passes_as_it_stands_and_leaves_no_machine(workshop: Workshop) -> None:
    code, steps = workshop.tried()

    assert steps == dict.fromkeys(
        (
            *("sums by group", "example", "broken: missing program"),
            "broken: a program that answers wrongly",
        ),
        ("passed", None),
    )
    assert code == 0
    assert workshop.machines() == []


def test_a_tool_whose_check_cannot_fail_is_refused(workshop: Workshop) -> None:
    check = workshop.tool / "check.sh"
    before = check.read_text()
    check.write_text(TRUSTING)
    try:
        code, steps = workshop.tried("--keep")
        assert workshop.machines() == ["try-sums"]
        check.write_text(VAGUE)
        vague, told = workshop.tried("--keep")
        other = workshop.dsvm("tools", "test", "sums", "--yes", cwd=workshop.folder)
        assert workshop.machines() == ["try-sums"]
    finally:
        check.write_text(before)
        workshop.dsvm("rm", "try-sums", "--yes")

    assert (code, vague, other.returncode) == (3, 3, 1)
    assert "machine `try-sums` belongs to another folder" in other.stderr
    assert steps["sums by group"][0] == "passed"
    assert steps["broken: missing program"] == ("failed", "verify passed a broken tool")
    assert told["broken: missing program"][0] == "passed"  # the shell says the words itself
    wrong = told["broken: a program that answers wrongly"]
    assert wrong[0] == "failed"
    assert wrong[1].startswith("no check says `the sums are: 0`: sums by group: jq is out of order")


def test_a_check_beside_another_tool_is_run_and_has_to_fail_too(workshop: Workshop) -> None:
    described = workshop.tool / "tool.toml"
    before = described.read_text()
    described.write_text(before + BESIDE)
    (workshop.tool / "check_git.sh").write_text(KEPT)
    try:
        code, steps = workshop.tried()
    finally:
        described.write_text(before)
        (workshop.tool / "check_git.sh").unlink()

    assert code == 0, steps
    assert steps["kept in git"] == ("passed", None)
    assert steps["broken: git tells nothing"] == ("passed", None)
    assert workshop.machines() == []


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_a_trial_that_is_ended_leaves_nothing_behind(
    workshop: Workshop, ending: signal.Signals
) -> None:
    words = [str(CHECKOUT / "dsvm"), "tools", "test", "sums", "--yes"]
    trial = subprocess.Popen(words, cwd=workshop.folder, stderr=subprocess.DEVNULL)
    late = time.monotonic() + 300
    while not workshop.machines():
        assert trial.poll() is None
        assert time.monotonic() < late
        time.sleep(0.2)
    trial.send_signal(ending)
    trial.wait(120)

    if ending == signal.SIGKILL:  # nobody could clean up: the next trial does, of any tool
        assert workshop.machines() == ["try-sums"]
        assert workshop.tried()[0] == 0
    assert workshop.machines() == []
