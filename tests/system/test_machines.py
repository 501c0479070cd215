"""Machines for real: what a person types, what is there afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.home import Home
from dsvm.machines.listing import running
from dsvm.machines.machine import Machine
from dsvm.machines.state import Machines
from tests.system.persons import make_key, user
from tests.system.typed import CHECKOUT, Dsvm


@pytest.fixture(scope="module")
def own_folder(home: Home) -> Path:
    folder = home.root / "definitions" / "own"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def own(home: Home, dsvm: Dsvm, own_folder: Path, small: Machine) -> Iterator[Machine]:
    """A machine that these tests change, stop and kill; `small` has built its image."""
    define(own_folder)
    done = dsvm("up", "--yes", cwd=own_folder, timeout_s=900)
    assert done.returncode == 0, done.stderr
    yield Machines(home).get("own")
    dsvm("rm", "own", "--yes")


def define(folder: Path, *more: str, packages: str = "") -> None:
    lines = ['name = "own"', 'profile = ""', 'tools = ["git"]', f"packages = [{packages}]"]
    lines += ["[size]", "cpus = 1", 'memory = "1G"', *more]
    (folder / "dsvm.toml").write_text("\n".join(lines) + "\n")


def inside(dsvm: Dsvm, *argv: str) -> str:
    done = dsvm("run", "own", "--", *argv)
    assert done.returncode == 0, done.stderr
    return done.stdout


def state(dsvm: Dsvm, name: str = "own") -> str:
    rows = json.loads(dsvm("ls", "--json").stdout)
    return next((str(row["state"]) for row in rows if row["name"] == name), "gone")


def test_up_of_a_running_machine_finds_nothing_to_do(
    own: Machine, dsvm: Dsvm, own_folder: Path, home: Home
) -> None:
    record = Machines(home).folder("own") / "machine.json"
    lock = own_folder / "dsvm.lock"
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in (record, lock)]
    reports = sorted(own.reports.iterdir())

    told = json.loads(dsvm("up", "--json", cwd=own_folder).stdout)

    assert told["unchanged"] is True
    assert told["changes"] == []
    assert told["seconds"] == {"lock": 0, "build": 0, "boot": 0, "verify": 0}
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in (record, lock)] == before
    assert sorted(own.reports.iterdir()) == reports


def test_run_passes_words_streams_and_status(own: Machine, dsvm: Dsvm) -> None:
    script = 'cat; printf "%s|" "$@"; echo told >&2; exit 7'

    done = dsvm(
        "run", "own", "--", "sh", "-c", script, "sh", "a b", "'$HOME'", "*", "", stdin="in\n"
    )

    assert done.stdout == "in\na b|'$HOME'|*||"
    assert done.stderr == "told\n"
    assert done.returncode == 7


def test_files_and_folders_are_copied_both_ways(own: Machine, dsvm: Dsvm, tmp_path: Path) -> None:
    folder = tmp_path / "sent" / "with blank"
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(bytes(range(256)))

    assert dsvm("cp", str(tmp_path / "sent"), "own:copies/").returncode == 0
    assert dsvm("cp", "own:copies/sent", str(tmp_path / "back")).returncode == 0
    missing = dsvm("cp", "own:nothing", str(tmp_path))

    assert (tmp_path / "back" / "with blank" / "a.bin").read_bytes() == bytes(range(256))
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: ")


def test_a_restart_keeps_files_ports_and_key(own: Machine, dsvm: Dsvm, home: Home) -> None:
    inside(dsvm, "sh", "-c", "echo kept > kept; sync")

    assert dsvm("stop", "own").returncode == 0
    assert state(dsvm) == "stopped"
    assert dsvm("start", "own").returncode == 0

    assert inside(dsvm, "cat", "kept") == "kept\n"
    assert Machines(home).get("own").record.ssh_port == own.record.ssh_port


def test_a_killed_machine_is_stopped_and_starts_again(own: Machine, dsvm: Dsvm) -> None:
    inside(dsvm, "sh", "-c", "echo synced > synced; sync")
    found = running(own)
    assert found

    os.kill(found.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while state(dsvm) != "stopped" and time.monotonic() < deadline:
        time.sleep(0.1)

    assert state(dsvm) == "stopped"
    assert dsvm("start", "own").returncode == 0
    assert inside(dsvm, "cat", "synced") == "synced\n"


def test_a_changed_definition_is_applied_and_home_stays(
    own: Machine, dsvm: Dsvm, own_folder: Path, tmp_path: Path
) -> None:
    inside(dsvm, "sh", "-c", "echo mine > mine")
    (own_folder / "notebooks").mkdir(exist_ok=True)
    (own_folder / "notebooks" / "one.ipynb").write_text("{}")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "data.csv").write_text("1,2\n")
    define(
        own_folder,
        user("ada", make_key(tmp_path / "ada")),
        '[files]\n"~/notebooks" = "notebooks/"',
        f'[mounts]\n"~/data" = "{tmp_path}/shared:ro"',
        packages='"tree"',
    )

    done = dsvm("up", "--json", cwd=own_folder)

    assert done.returncode == 0, done.stderr
    changes = json.loads(done.stdout)["changes"]
    assert "user ada may log in" in changes
    assert "restarted: the mounts changed" in changes
    assert inside(dsvm, "cat", "mine") == "mine\n"
    assert inside(dsvm, "cat", "notebooks/one.ipynb") == "{}"
    assert inside(dsvm, "cat", "data/data.csv") == "1,2\n"
    assert dsvm("run", "own", "--", "touch", "data/x").returncode != 0
    assert "tree v" in inside(dsvm, "tree", "--version")
    assert "sudo" not in inside(dsvm, "id", "-nG", "ada").split()

    define(own_folder)
    assert dsvm("up", cwd=own_folder).returncode == 0
    assert dsvm("run", "own", "--", "tree").returncode == 127
    assert inside(dsvm, "cat", "mine") == "mine\n"


def test_another_folder_may_not_take_the_name(own: Machine, dsvm: Dsvm, tmp_path: Path) -> None:
    define(tmp_path)

    refused = dsvm("up", cwd=tmp_path)

    assert refused.returncode == 1
    assert refused.stderr.startswith("error: machine `own` belongs to another folder\n")
    assert "hint: " in refused.stderr


def test_another_base_is_refused_before_anything_changes(
    own: Machine, dsvm: Dsvm, own_folder: Path
) -> None:
    locked = (own_folder / "dsvm.lock").read_bytes()
    text = (own_folder / "dsvm.toml").read_text()
    (own_folder / "dsvm.toml").write_text(f'base = "debian-12"\n{text}')

    refused = dsvm("up", cwd=own_folder)

    (own_folder / "dsvm.toml").write_text(text)
    assert refused.returncode == 1
    assert "runs debian-13, the definition now says debian-12" in refused.stderr
    assert (own_folder / "dsvm.lock").read_bytes() == locked


def test_machines_run_side_by_side(own: Machine, small: Machine, dsvm: Dsvm) -> None:
    names = {dsvm("run", name, "--", "hostname").stdout.strip() for name in ("own", "small")}

    assert names == {"own", "small"}


@pytest.mark.parametrize("after_s", [0.3, 1.0, 2.0, 4.0])
def test_a_killed_up_is_finished_by_the_next_one(
    own: Machine, dsvm: Dsvm, home: Home, after_s: float
) -> None:
    folder = home.root / "definitions" / "killed"
    folder.mkdir(parents=True, exist_ok=True)
    text = (home.root / "definitions" / "own" / "dsvm.toml").read_text()
    (folder / "dsvm.toml").write_text(text.replace('"own"', '"killed"'))
    env = {**os.environ, "DSVM_HOME": str(home.root)}
    first = subprocess.Popen(
        [CHECKOUT / "dsvm", "up"], cwd=folder, env=env, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    time.sleep(after_s)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()

    done = dsvm("up", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert dsvm("run", "killed", "--", "true").returncode == 0
    assert dsvm("rm", "killed", "--yes").returncode == 0
    assert not Machines(home).folder("killed").exists()


def test_a_removed_machine_leaves_nothing(own: Machine, dsvm: Dsvm, home: Home) -> None:
    folder = str(Machines(home).folder("own"))

    assert dsvm("rm", "own", "--yes").returncode == 0

    assert not Path(folder).exists()
    assert folder not in Path("/proc/mounts").read_text()
    assert not [line for line in command_lines() if folder in line]
    loops = subprocess.run(["losetup", "--list"], capture_output=True, text=True, check=True)
    assert folder not in loops.stdout
    assert state(dsvm) == "gone"


def command_lines() -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has just ended
    return found
