"""What the system tests share: one DSVM_HOME, and machines that are made once.

They boot for real and need root. `DSVM_TEST_HOME=FOLDER` keeps store and machines for the next
run; without it everything is removed in the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.machines.state import Machines
from tests.system.typed import Dsvm, install_host_packages

HERE = Path(__file__).parent
NEEDS_ROOT = "builds and boots machines: run `sudo ./test`"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    for item in items:
        if HERE in item.path.parents and not item.get_closest_marker("rootless"):
            item.add_marker(pytest.mark.skip(reason=NEEDS_ROOT))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The DSVM_HOME of all system tests; also set in the environment."""
    kept = os.environ.get("DSVM_TEST_HOME")
    root = Path(kept).absolute() if kept else tmp_path_factory.mktemp("dsvm-home")
    root.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("DSVM_HOME")
    os.environ["DSVM_HOME"] = str(root)
    install_host_packages(Home(root))
    yield Home(root)
    if not kept:
        for name in Machines(Home(root)).names():
            Dsvm(root)("rm", name, "--yes")
        shutil.rmtree(root)
    if before is None:
        del os.environ["DSVM_HOME"]
    else:
        os.environ["DSVM_HOME"] = before


@pytest.fixture(scope="session")
def dsvm(home: Home) -> Dsvm:
    """The real `./dsvm`, as a person types it."""
    return Dsvm(home.root)


@pytest.fixture(scope="session")
def small_folder(home: Home) -> Path:
    """The folder of the machine `small`."""
    return _folder(
        home, "small", 'profile = ""\ntools = ["git"]\n[size]\ncpus = 1\nmemory = "1G"\n'
    )


@pytest.fixture(scope="session")
def starter_folder(home: Home) -> Path:
    """The folder of the machine `starter`."""
    return _folder(home, "starter", 'profile = "starter"\n[size]\ncpus = 2\nmemory = "4G"\n')


@pytest.fixture(scope="session")
def small(home: Home, dsvm: Dsvm, small_folder: Path) -> Machine:
    """A running machine with git and nothing else."""
    return _up(home, dsvm, "small", small_folder)


@pytest.fixture(scope="session")
def starter(home: Home, dsvm: Dsvm, starter_folder: Path) -> Machine:
    """A running machine with the profile `starter`."""
    return _up(home, dsvm, "starter", starter_folder)


def _folder(home: Home, name: str, rest: str) -> Path:
    folder = home.root / "definitions" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dsvm.toml").write_text(f'name = "{name}"\n{rest}', encoding="utf-8")
    return folder


def _up(home: Home, dsvm: Dsvm, name: str, folder: Path) -> Machine:
    done = dsvm("up", "--yes", cwd=folder, timeout_s=1800)
    assert done.returncode in (0, 3), done.stderr
    return Machines(home).get(name)
