"""A machine's disk grows, while it runs or when it next starts, and loses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dsvm.engines import storage
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.machines import disk as disk_module
from dsvm.machines.disk import (
    check_disk,
    create_disk,
    disk_used,
    finish_growth,
    grow_disk,
    root_bytes,
)
from dsvm.machines.grow import file_system_bytes, root_window
from dsvm.machines.machine import Machine
from dsvm.store import Store
from tests.system.spare import GIB, SIZE, spare
from tests.system.typed import Dsvm

NAME = "grows"
CAP_SYS_RESOURCE = 24
FREE_S = 10.0


def define(folder: Path, gib: int) -> None:
    lines = [f'name = "{NAME}"', 'profile = ""', 'tools = ["git"]', "[size]", "cpus = 1"]
    lines += ['memory = "1G"', f'disk = "{gib}G"']
    (folder / "dsvm.toml").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def folder(home: Home, dsvm: Dsvm, small: Machine) -> Iterator[Path]:
    """Of a machine with a disk of 6 GiB, made from the image of `small`."""
    folder = home.root / "definitions" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    dsvm("rm", NAME, "--yes")
    define(folder, 6)
    up(dsvm, folder)
    inside(dsvm, "echo kept > before")
    yield folder
    dsvm("rm", NAME, "--yes")


def up(dsvm: Dsvm, folder: Path) -> dict[str, Any]:
    done = dsvm("up", "--yes", "--engine", "nspawn", "--json", cwd=folder, timeout_s=900)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def inside(dsvm: Dsvm, script: str) -> str:
    done = dsvm("run", NAME, "--", "sh", "-c", script, timeout_s=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def shown(dsvm: Dsvm) -> float:
    """GiB of the root file system, as a person sees them."""
    return int(inside(dsvm, "df -B1 --output=size / | tail -1")) / GIB


def notes(dsvm: Dsvm) -> list[str]:
    rows = json.loads(dsvm("ls", "--json").stdout)
    return [note for row in rows if row["name"] == NAME for note in row["notes"]]


def restarted(dsvm: Dsvm) -> None:
    for command in ("stop", "start"):
        done = dsvm(command, NAME, timeout_s=300)
        assert done.returncode == 0, done.stderr


def may_resize() -> bool:
    """Whether root of this host may resize a mounted file system: capabilities(7)."""
    (line,) = (
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("CapEff:")
    )
    return bool(int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1)


def test_a_larger_disk_is_there_at_once_or_at_the_next_start_which_is_told(
    folder: Path, dsvm: Dsvm
) -> None:
    assert 5.5 < shown(dsvm) < 6
    assert dsvm("snapshot", NAME).returncode == 0
    boot = inside(dsvm, "cat /proc/sys/kernel/random/boot_id")
    define(folder, 8)

    changes = up(dsvm, folder)["changes"]

    assert inside(dsvm, "cat /proc/sys/kernel/random/boot_id") == boot
    if may_resize():
        assert "the disk has grown while the machine runs" in changes
    else:
        (told,) = (line for line in changes if "grows to 8G at the next start" in line)
        assert "CAP_SYS_RESOURCE" in told
        assert "its disk is still 6G: it grows to 8G at the next start" in notes(dsvm)
        assert shown(dsvm) < 6
        restarted(dsvm)
    assert 7.5 < shown(dsvm) < 8
    assert not [note for note in notes(dsvm) if "disk" in note]
    assert inside(dsvm, "cat before") == "kept"


def test_a_smaller_disk_is_refused_with_the_remedy(folder: Path, dsvm: Dsvm) -> None:
    define(folder, 7)

    refused = dsvm("up", "--yes", cwd=folder)

    assert refused.returncode == 1
    assert f"the disk of machine `{NAME}` cannot shrink" in refused.stderr
    assert "hint: say at least 8G" in refused.stderr


def test_an_older_smaller_disk_comes_back_and_grows_again(folder: Path, dsvm: Dsvm) -> None:
    define(folder, 8)
    done = dsvm("restore", NAME, "s1", "--yes", timeout_s=300)
    assert done.returncode == 0, done.stderr
    assert 5.5 < shown(dsvm) < 6
    assert 'disk = "6G"' in (folder / "dsvm.toml").read_text()
    define(folder, 8)

    up(dsvm, folder)
    restarted(dsvm)

    assert 7.5 < shown(dsvm) < 8
    assert inside(dsvm, "cat before") == "kept"


def just_as_large(size: int) -> int:
    """How large disks were before they reached beyond their size."""
    return size


@pytest.mark.parametrize("made", [disk_module.reach, just_as_large])
def test_a_disk_of_this_or_an_older_dsvm_is_small_grows_and_keeps_its_files(
    small: Machine, monkeypatch: pytest.MonkeyPatch, made: Callable[[int], int]
) -> None:
    reach = disk_module.reach
    monkeypatch.setattr(disk_module, "reach", made)
    with spare(small, "disk-grows") as machine:
        monkeypatch.setattr(disk_module, "reach", reach)
        disk, offset = machine.machine.disk, machine.machine.root_offset
        assert disk_used(disk) < 64 << 20
        machine.start()
        machine.run("echo kept > ~/before")
        machine.stop()

        grow_disk(disk, 3 * GIB, offset)

        with pytest.raises(DsvmError, match="too small"):
            grow_disk(disk, SIZE.disk, offset)
        machine.start()
        assert machine.run("cat ~/before") == "kept\n"
        assert int(machine.run("df --output=size -B1 / | tail -1")) > 2.5 * GIB


GROW = """
import sys
from pathlib import Path
from dsvm.machines.disk import grow_disk
print("begins", flush=True)
grow_disk(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
"""


def test_a_disk_whose_growing_is_killed_at_any_moment_is_whole(
    small: Machine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    disk, offset = tmp_path / "disk.qcow2", small.record.image.root_offset
    create_disk(Store(small.home.store).get(small.record.image.digest), disk, 2 * GIB, offset)
    (tmp_path / "note").write_text("kept")
    with opened(disk, tmp_path) as root:
        debugfs(root, "-w", f"write {tmp_path}/note note")
    began = time.monotonic()
    with growing(disk, 2 * GIB + (1 << 20), offset) as process:
        assert process.wait() == 0
    takes = time.monotonic() - began
    times = 40 if request.config.getoption("--long") else 6

    for step in range(times):
        size = (3 + step) * GIB
        with growing(disk, size, offset) as process:
            time.sleep(takes * (step + 1) / times)
            process.kill()
        free(disk)
        check_disk(disk)
        finish_growth(disk)

        with opened(disk, tmp_path) as root:
            checked = subprocess.run(["e2fsck", "-f", "-n", root], check=False)
            assert checked.returncode == 0
            assert file_system_bytes(root, 0) in {
                root_bytes(size, offset),
                root_bytes(size - GIB, offset),
                root_bytes(2 * GIB + (1 << 20), offset),
            }
            assert debugfs(root, "cat note") == "kept"
        grow_disk(disk, size, offset)
        assert sorted(file.name for file in tmp_path.glob("disk*")) == ["disk.qcow2"]


@contextmanager
def growing(disk: Path, size: int, offset: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has begun to grow the disk."""
    argv = [sys.executable, "-c", GROW, str(disk), str(size), str(offset)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"begins\n"
        yield process


def free(disk: Path) -> None:
    """What the killed one had started is gone."""
    deadline = time.monotonic() + FREE_S
    while subprocess.run(["qemu-io", "-c", "quit", disk], check=False, capture_output=True).stderr:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def opened(disk: Path, folder: Path) -> Iterator[Path]:
    """The root file system of a disk that nobody uses, as a file."""
    with storage.exported(disk, folder / "root", folder / "log") as raw:
        window = root_window(raw)
    with storage.exported(disk, folder / "root", folder / "log", window) as root:
        yield root


def debugfs(root: Path, *words: str) -> str:
    *options, asked = words
    argv = ["debugfs", *options, "-R", asked, str(root)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
