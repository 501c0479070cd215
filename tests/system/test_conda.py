"""The tool `conda`, from a channel that the test makes and serves: solved, installed, proven.

The channel stands in for conda-forge by `[sources] conda`; its packages are real ones.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from dsvm.catalog import load_catalog
from dsvm.catalog.model import Break
from dsvm.home import Home
from dsvm.lock.conda import PLATFORMS
from dsvm.lock.trees import architecture
from tests.system.conda_forge import channel
from tests.system.kernels import answer, kernels
from tests.system.lock_support import serving
from tests.system.project import Project
from tests.system.typed import Dsvm

NAME = "forged"
TOOL = load_catalog().tool("conda")
NOWHERE = "http://127.0.0.1:1"
PARTS = (
    '[environments.parts]\nrequirements = ["ipykernel", "numpy", "pandas", "pip", "scikit-learn"]\n'
)


class Forged(Project):
    """A machine with the tool; its channels are where the definition says."""

    def define(self, conda: str, more: str = "") -> None:
        lines = f'name = "{NAME}"\nprofile = ""\ntools = ["conda", "jupyterlab"]\n'
        (self.folder / "dsvm.toml").write_text(f'{lines}[sources]\nconda = "{conda}"\n{more}')

    def outcomes(self) -> dict[str, tuple[str, str | None]]:
        """Check of the tool -> outcome and reason, in the newest report."""
        report = json.loads((self.machine.reports / "latest.json").read_text())
        return {
            one["check"]: (one["outcome"], one["reason"])
            for one in report["checks"]
            if one["tool"] == TOOL.name
        }


@pytest.fixture(scope="module")
def project(home: Home, dsvm: Dsvm) -> Iterator[Forged]:
    folder = home.root / "definitions" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dsvm.lock").unlink(missing_ok=True)
    dsvm("rm", NAME, "--yes")
    yield Forged(home, dsvm, folder)
    dsvm("rm", NAME, "--yes")


@pytest.fixture(scope="module")
def forge(project: Forged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a host of channels, among them `conda-forge`."""
    project.define(NOWHERE, PARTS)
    project.typed("lock")
    web = tmp_path_factory.mktemp("forge")
    platform = PLATFORMS[architecture()]
    channel(web / "conda-forge", platform, "parts", project.lock, project.home)
    with serving(web) as server:
        yield server.url("").rstrip("/")


def test_a_channel_that_is_not_reached_leaves_the_tool_not_tested(project: Forged) -> None:
    project.define(NOWHERE)

    project.typed("up", "--yes")

    [check] = [one.name for one in TOOL.checks]
    outcome, reason = project.outcomes()[check]
    assert outcome == "not_tested"
    assert f"unreachable: {NOWHERE}/conda-forge" in str(reason)
    assert TOOL.lives_in not in kernels(project.machine)


def test_it_comes_to_the_running_machine_once_its_channel_is_reached(
    project: Forged, forge: str
) -> None:
    boot, before = project.boot(), project.layers()
    project.define(forge)

    project.typed("up", "--yes")

    assert project.boot() == boot
    after = project.layers()
    assert {name for name in after if before.get(name) != after[name]} == {"env-conda-cpu"}
    [locked] = project.lock.conda
    assert {one.channel for one in locked.packages} == {"https://conda.anaconda.org/conda-forge"}
    assert {one.noarch for one in locked.packages} == {"python", None}
    assert next(one for one in locked.packages if one.name == "python").version.startswith("3.13.")


def test_it_does_its_real_job_and_is_a_kernel(project: Forged) -> None:
    whole = project.saboteur.proven(TOOL, examples=True)

    told = {check.check: (check.outcome, check.reason) for check in whole.checks}
    assert told == dict.fromkeys([one.name for one in TOOL.checks] + ["example"], ("passed", None))
    where = answer(project.machine, "conda", "import sklearn; print(sklearn.__file__)")
    assert where.startswith("/opt/dsvm/envs/conda/lib/python3.13/site-packages/")
    project.typed("verify", "--tool", "jupyterlab")  # a notebook on every kernel


def test_its_packages_are_in_a_valid_bill_of_materials(project: Forged) -> None:
    bill = project.typed("sbom", NAME)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    found = Counter(one["purl"].partition("/")[0] for one in json.loads(bill)["components"])
    [locked] = project.lock.conda
    wheels = {one.sha256 for env in project.lock.environments for one in env.packages}
    assert found == {
        "pkg:conda": len(locked.packages),
        "pkg:deb": len(project.lock.os.packages),
        "pkg:pypi": len(wheels),
    }


@pytest.mark.parametrize("one", TOOL.breaks, ids=lambda one: one.name)
def test_its_check_fails_when_it_is_broken(project: Forged, one: Break) -> None:
    assert project.saboteur.fault(TOOL, one) is None
