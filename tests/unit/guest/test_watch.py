"""Environments below home become kernels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dsvm.guest import kernels, watch

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def make(path: Path, *, ipykernel: bool = False) -> Path:
    """What a look at an environment needs of one."""
    site = path / "lib" / f"python{VERSION}" / "site-packages"
    site.mkdir(parents=True)
    (path / "bin").mkdir()
    (path / "bin" / "python").symlink_to(sys.executable)
    (path / "pyvenv.cfg").touch()
    if ipykernel:
        (site / "ipykernel").mkdir()
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(watch, "KERNELS", tmp_path / "system")
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def look(home: Path, envs: Path | None = None) -> dict[str, kernels.Spec]:
    place = home / ".local/share/jupyter/kernels"
    watch.once(home, place, envs=envs or home.parent / "envs")
    return kernels.ours(place)


def test_environments_get_the_names_of_their_projects(home: Path) -> None:
    make(home / "churn" / ".venv")
    make(home / "envs" / "fraud")

    found = look(home)

    assert sorted(found) == ["churn", "fraud"]
    assert found["churn"]["argv"][0] == f"{home}/churn/.venv/bin/python"


def test_a_conda_environment_is_one_too(home: Path) -> None:
    env = make(home / "miniconda" / "envs" / "lab")
    (env / "pyvenv.cfg").unlink()
    (env / "conda-meta").mkdir()
    base = home / "miniconda"
    (base / "conda-meta").mkdir()

    assert list(look(home)) == ["lab"]


def test_a_removed_environment_takes_its_kernel_along(home: Path) -> None:
    make(home / "churn")
    look(home)
    shutil.rmtree(home / "churn")

    assert look(home) == {}


def test_names_never_collide(home: Path) -> None:
    (home.parent / "system" / "base").mkdir(parents=True)
    make(home / "a" / "churn")
    make(home / "b" / "churn")
    make(home / "base")

    found = look(home)

    assert len(found) == 3
    assert "churn" in found
    assert "base" not in found
    assert look(home) == found


def test_kernels_that_are_not_ours_stay(home: Path) -> None:
    foreign = home / ".local/share/jupyter/kernels/mine"
    foreign.mkdir(parents=True)
    (foreign / "kernel.json").write_text(json.dumps({"argv": ["x"], "metadata": {}}))
    make(home / "mine")

    look(home)

    assert json.loads((foreign / "kernel.json").read_text())["argv"] == ["x"]


def test_a_kernel_says_what_it_lacks_only_when_nobody_lends_it(home: Path) -> None:
    make(home / "churn")
    envs = home.parent / "envs"

    alone = look(home)["churn"]["display_name"]
    make(envs / "jupyter", ipykernel=True)
    lent = look(home)["churn"]["display_name"]

    assert alone.endswith("needs: pip install ipykernel")
    assert lent == f"churn (Python {VERSION})"


def test_packages_and_data_are_not_searched(home: Path) -> None:
    make(home / "node_modules" / "x")
    make(home / ".cache" / "y")
    make(home / "one" / "two" / "three" / "four" / "five" / "six")

    assert look(home) == {}


def test_the_launcher_lends_nothing_when_there_is_nothing_and_says_what_to_type(
    tmp_path: Path,
) -> None:
    launcher = Path(watch.__file__).parent / "files/usr/lib/dsvm/kernel-launcher.py"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    environment = {**os.environ, "PYTHONPATH": ""}

    done = subprocess.run(
        [tmp_path / "v/bin/python", launcher], capture_output=True, text=True, env=environment
    )

    assert done.returncode == 1
    assert f"{tmp_path}/v/bin/python -m pip install ipykernel" in done.stderr
