"""`pip install dsvm` works without the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.system.typed import CHECKOUT

pytestmark = pytest.mark.rootless


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "-q",
        "-w",
        str(folder),
        str(CHECKOUT),
    ]
    subprocess.run(build, check=True)
    (built,) = folder.glob("dsvm-*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`dsvm` installed from the wheel into a fresh environment."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pins = ["-r", str(CHECKOUT / "requirements.txt")]
    pip = [str(place / "bin/python"), "-m", "pip", "install", "-q", "--only-binary", ":all:"]
    subprocess.run([*pip, "--require-hashes", *pins], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    return place / "bin" / "dsvm"


def said(program: Path, *words: str, cwd: Path) -> str:
    done = subprocess.run([program, *words], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_wheel_carries_everything_that_is_not_python(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = CHECKOUT / "src" / "dsvm"
    there = {
        f"dsvm/{file.relative_to(package)}"
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    assert there <= inside


def test_the_installed_command_helps_lists_tools_and_prints_the_schema(
    program: Path, tmp_path: Path
) -> None:
    tools = {tool["name"] for tool in json.loads(said(program, "tools", "--json", cwd=tmp_path))}

    assert said(program, "--help", cwd=tmp_path).startswith("Usage: dsvm ")
    assert {"python", "r", "jupyterlab", "pytorch"} <= tools
    assert "environments" in json.loads(said(program, "schema", cwd=tmp_path))["properties"]


def test_the_installed_command_reads_a_definition_with_every_base(
    program: Path, tmp_path: Path
) -> None:
    for base in ("debian-12", "debian-13"):
        (tmp_path / "dsvm.toml").write_text(f'name = "lab"\nbase = "{base}"\ntools = ["git"]\n')
        done = subprocess.run(
            [program, "lock", "--check"], cwd=tmp_path, capture_output=True, text=True, check=False
        )

        assert done.stderr.startswith("error: there is no dsvm.lock\n")
