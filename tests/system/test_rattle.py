"""The tool `rattle`, from a repository that the test makes: locked, built, attached, broken.

Its packages are stand-ins: this proves what the tool's folder asks for, not Rattle itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.catalog.model import Break
from dsvm.home import Home
from tests.system.cran_support import stand_ins
from tests.system.lock_support import serving
from tests.system.project import Project
from tests.system.typed import Dsvm

NAME = "mined"
TOOL = load_catalog().tool("rattle")


@pytest.fixture(scope="module")
def project(home: Home, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder, web = tmp_path_factory.mktemp("mined"), tmp_path_factory.mktemp("cran")
    stand_ins(web)
    with serving(web) as server:
        (folder / "dsvm.toml").write_text(
            f'name = "{NAME}"\nprofile = ""\ntools = ["rattle"]\n'
            f'[sources]\ncran = "{server.url("").rstrip("/")}"\n'
        )
        found = Project(home, dsvm, folder)
        found.typed("lock")
    found.typed("up", "--yes")
    yield found
    dsvm("rm", NAME, "--yes")


def test_its_packages_come_from_the_repository_that_the_definition_names(
    project: Project,
) -> None:
    [locked] = project.lock.cran
    library = Path("/opt/dsvm/apps/rattle/library")

    assert [(one.name, one.version) for one in locked.packages] == [
        ("rpart.plot", "3.1.0"),
        ("rattle", "5.5.1"),
    ]
    assert "libxml2-dev" in locked.tree.roots
    there = project.machine.ssh.run(["ls", str(library)]).stdout.split()
    assert there == ["rattle", "rpart.plot"]


def test_its_check_and_its_example_find_what_was_built(project: Project) -> None:
    report = project.saboteur.proven(TOOL, examples=True)

    told = {check.check: (check.outcome, check.reason) for check in report.checks}
    assert told == dict.fromkeys([one.name for one in TOOL.checks] + ["example"], ("passed", None))


@pytest.mark.parametrize("one", TOOL.breaks, ids=lambda one: one.name)
def test_its_check_fails_when_it_is_broken(project: Project, one: Break) -> None:
    assert project.saboteur.fault(TOOL, one) is None
