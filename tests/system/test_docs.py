"""The commands of README and docs/, run in their order on a machine of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.home import Home
from dsvm.machines.machine import Machine
from tests.console_blocks import CHECKOUT, Line, shown
from tests.system.typed import Dsvm, typed_by_a_reader

# Beginnings of lines that are not run here, and why.
NOT_RUN = {
    "git clone": "this is the clone",
    "ssh -L": "needs a second computer",
    "./test": "it is what runs this",
    "./dsvm up": "the fixture has done it",
    "./dsvm add pytorch": "minutes of download; a test of its own does it",
    "./dsvm tools test": "tests/system/test_tools_test.py does it",
    "./dsvm tools --outdated": "asks for every package anew; tests/system/test_upgrade.py does it",
    "./dsvm lock --upgrade": "as above, and it would change what the other lines stand on",
    "./dsvm update": "as above; tests/system/test_upgrade.py does it",
    "./dsvm resize --engine": "minutes where it is emulated; tests/system/test_resize.py does it",
    "./dsvm models serve": "it runs on; tests/system/test_models.py does it",
    "./dsvm doctor": "tests/system/test_doctor.py compares what it says",
}
# A later page goes on where an earlier one has removed the machine: so that comes last.
ENDS = ("./dsvm rm", "./dsvm gc")
LINES = sorted(
    (line for line in shown() if not line.text.startswith(tuple(NOT_RUN))),
    key=lambda line: line.text.startswith(ENDS),
)


@pytest.fixture(scope="module")
def lab(
    home: Home, starter: Machine, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A checkout as the reader has it: `./dsvm` and the machine `lab`, made from kept layers."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "dsvm").symlink_to(CHECKOUT / "dsvm")
    (folder / "notes.csv").write_text("a,b\n1,2\n")
    text = 'name = "lab"\nprofile = "starter"\n[size]\ncpus = 1\nmemory = "3G"\n'
    (folder / "dsvm.toml").write_text(text)
    done = dsvm("up", "--yes", cwd=folder, timeout_s=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    yield folder
    dsvm("rm", "lab", "--yes")


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_line_of_the_docs_works(line: Line, lab: Path, home: Home) -> None:
    asks = line.text.startswith(("./dsvm rm", "./dsvm env reset", "./dsvm restore"))
    text = f"{line.text} --yes" if asks else line.text
    typed_by_a_reader(text, lab, home, stdin="exit\n" if line.text == "./dsvm ssh" else "")


def test_every_reason_not_to_run_a_line_is_still_needed() -> None:
    texts = [line.text for line in shown()]

    assert [start for start in NOT_RUN if not any(text.startswith(start) for text in texts)] == []
