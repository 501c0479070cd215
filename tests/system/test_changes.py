"""A machine that lives and is changed: by its definition, by its lock, by a newer dsvm.

The tests follow one another on one machine, as a person's changes do; each says
what it begins with.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from dsvm.build.guest_tree import entries
from dsvm.guest.places import CODE, MANIFEST
from dsvm.home import Home
from dsvm.machines.work import running_work
from dsvm.store import Store
from tests.system.kernels import answer, kernels
from tests.system.project import Project as Typed
from tests.system.typed import CHECKOUT, Dsvm

NAME = "changing"
VERSION = "import tabulate; print(tabulate.__version__)"
OLD, NEW = "0.8.10", "0.9.0"
WAIT_S = 20.0


class Project(Typed):
    """A machine that is changed by its definition."""

    def define(self, *tables: str, tools: str = '"git"', packages: str = "") -> None:
        lines = [f'name = "{NAME}"', 'profile = ""', f"tools = [{tools}]"]
        lines += [f"packages = [{packages}]", *tables, "[size]", "cpus = 1", 'memory = "1G"']
        self.file.write_text("\n".join(lines) + "\n")

    def up(self, *words: str) -> dict[str, Any]:
        """`dsvm up --json`, or another command that ends with it."""
        done = self.dsvm(*(words or ("up",)), "--json", cwd=self.folder, timeout_s=900)
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    def inside(self, *argv: str) -> str:
        return self.machine.ssh.run(argv, timeout_s=60).stdout

    def locked(self, environment: str, package: str) -> str:
        found = next(one for one in self.lock.environments if one.name == environment)
        return next(one.version for one in found.packages if one.name == package)

    def proven(self) -> set[str]:
        """The tools in the newest report; none of their checks failed."""
        newest = sorted(self.machine.reports.glob("[0-9]*.json"))[-1]
        checks = json.loads(newest.read_text())["checks"]
        assert not [one for one in checks if one["outcome"] == "failed"], checks
        return {one["tool"] for one in checks}


@pytest.fixture(scope="module")
def project(home: Home, dsvm: Dsvm) -> Iterator[Project]:
    folder = home.root / "definitions" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    dsvm("rm", NAME, "--yes")
    (folder / "dsvm.lock").unlink(missing_ok=True)
    found = Project(home, dsvm, folder)
    found.define()
    found.up()
    found.inside("sh", "-c", "echo mine > mine")
    yield found
    dsvm("rm", NAME, "--yes")


@contextmanager
def unbooted(project: Project) -> Iterator[None]:
    """What happens meanwhile neither reboots the machine nor touches the login's home."""
    boot = project.boot()
    yield
    assert project.boot() == boot
    assert project.inside("cat", "mine") == "mine\n"


def flip_a_bit(blob: Path) -> None:
    """As a new file: the old one may be a hard link of somebody else's."""
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.unlink()
    blob.write_bytes(content)


def cut(blob: Path) -> None:
    """Only its first half is left; as a new file, too."""
    content = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(content[: len(content) // 2])


def environment(name: str, requirement: str) -> str:
    return f'[environments.{name}]\nrequirements = ["{requirement}"]'


def test_an_environment_is_added_to_a_live_machine(project: Project) -> None:
    before = project.layers()
    project.define(environment("one", f"tabulate=={OLD}"))

    with unbooted(project):
        changes = project.up()["changes"]

    assert "environment one added" in changes
    assert "one" in kernels(project.machine)
    assert answer(project.machine, "one", VERSION) == OLD
    assert before.items() < project.layers().items()
    assert project.proven() == {"machine"}


def test_an_environment_is_swapped_and_the_one_beside_it_stays(project: Project) -> None:
    two = environment("two", f"tabulate=={OLD}")
    project.define(environment("one", f"tabulate=={OLD}"), two)
    project.up()
    before = project.layers()
    project.define(environment("one", f"tabulate=={NEW}"), two)

    with unbooted(project):
        changes = project.up()["changes"]

    after = project.layers()
    assert {name for name in after if after[name] != before[name]} == {"env-one-cpu"}
    assert "environment one swapped" in changes
    assert answer(project.machine, "one", VERSION) == NEW
    assert answer(project.machine, "two", VERSION) == OLD


def test_an_environment_that_is_taken_away_is_no_kernel_any_more(project: Project) -> None:
    project.define(environment("one", f"tabulate=={NEW}"))

    with unbooted(project):
        changes = project.up()["changes"]

    assert "environment two taken away" in changes
    assert kernels(project.machine) & {"one", "two"} == {"one"}


def test_dsvm_add_brings_a_tool_to_a_running_machine(project: Project) -> None:
    with unbooted(project):
        project.up("add", "vim")

    assert "git" in project.file.read_text()
    assert project.machine.record.tools == ("git", "vim")
    assert "VIM" in project.inside("vim", "--version")
    assert project.proven() == {"vim", "machine"}


def test_a_tool_that_is_removed_takes_its_packages_along(project: Project) -> None:
    project.define(environment("one", f"tabulate=={NEW}"))

    with unbooted(project):
        changes = project.up()["changes"]

    assert any(line.startswith("package vim ") and "removed" in line for line in changes)
    assert project.machine.ssh.run(["vim", "--version"], check=False).returncode == 127
    assert project.inside("git", "--version")


def test_a_package_comes_at_the_locked_version(project: Project) -> None:
    project.define(environment("one", f"tabulate=={NEW}"), packages='"tree"')

    with unbooted(project):
        project.up()

    locked = {one.name: one.version for one in project.lock.os.packages}
    assert project.inside("dpkg-query", "-W", "-f", "${Version}", "tree") == locked["tree"]


def test_an_upgraded_lock_is_applied_and_only_when_it_is_asked_for(project: Project) -> None:
    project.define(environment("one", f"tabulate<={OLD}"))
    project.up()
    project.define(environment("one", "tabulate"))
    project.up()
    kept = answer(project.machine, "one", VERSION)

    of_a_tool = project.dsvm("lock", "--upgrade", "git", cwd=project.folder)
    project.up()
    still = answer(project.machine, "one", VERSION)
    of_all = project.dsvm("lock", "--upgrade", cwd=project.folder)
    with unbooted(project):
        project.up()

    assert (of_a_tool.returncode, of_all.returncode) == (0, 0), of_all.stderr
    assert (kept, still) == (OLD, OLD)
    assert f"tabulate {OLD}" in of_all.stdout
    assert answer(project.machine, "one", VERSION) == project.locked("one", "tabulate") != OLD


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [(Path.unlink, "not in the store"), (flip_a_bit, "damaged"), (cut, "damaged")],
)
def test_a_layer_that_is_not_whole_is_named_before_boot_and_mended_by_up(
    project: Project, spoil: Callable[[Path], None], fault: str
) -> None:
    digest = project.layers()["env-one-cpu"]
    assert project.dsvm("stop", NAME).returncode == 0
    spoil(Store(project.home.store).path(digest))

    refused = project.dsvm("start", NAME)
    listed = project.dsvm("ls", "--json")
    project.up()

    assert refused.returncode == 1
    assert f"env-one-cpu: {fault}" in refused.stderr
    assert "`dsvm up`" in refused.stderr
    assert listed.returncode == 0
    assert Store(project.home.store).sound(digest)
    assert answer(project.machine, "one", VERSION) == project.locked("one", "tabulate")


def test_a_damaged_image_is_mended_though_packages_and_definition_have_changed(
    project: Project,
) -> None:
    project.define(environment("one", "tabulate"), packages='"tree"')
    project.up()
    image = project.machine.record.image.digest
    flip_a_bit(Store(project.home.store).path(image))
    full = project.dsvm("verify", NAME, "--tool", "machine", "--full")
    assert full.returncode == 3
    assert re.search(rf"FAILED +machine +image .*{image[:12]}", full.stdout), full.stdout
    assert project.dsvm("stop", NAME).returncode == 0
    project.define(environment("one", "tabulate"), environment("two", "tabulate"))

    project.up()

    assert Store(project.home.store).sound(image)
    assert project.machine.record.image.digest == image
    assert project.inside("cat", "mine") == "mine\n"
    assert answer(project.machine, "two", VERSION) == project.locked("two", "tabulate")


def test_every_file_of_the_machine_is_read_again_when_that_is_asked_for(project: Project) -> None:
    done = project.dsvm("verify", NAME, "--full", "--json", timeout_s=300)
    assert done.returncode == 0, done.stdout
    rows = {row["check"]: row for row in json.loads(done.stdout)["checks"]}
    files = rows["files of OS packages"]["measurements"]

    assert files["read"] == files["packages"] > 100
    assert rows["image"]["outcome"] == "passed"


def test_running_work_is_asked_for_before_a_restart(project: Project, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "data.csv").write_text("1,2\n")
    project.define(environment("one", "tabulate"))
    project.up("up", "--yes")
    project.define(environment("one", "tabulate"), f'[mounts]\n"~/data" = "{tmp_path}/shared"')
    boot = project.boot()
    with at_work(project):
        refused = project.dsvm("up", cwd=project.folder)
        assert project.boot() == boot
        assert "`sleep 5432` of ds" in refused.stderr
        assert "kernel one of ds" in refused.stderr
        assert "add --yes" in refused.stderr
        assert refused.returncode == 1

        done = project.dsvm("up", "--yes", cwd=project.folder)
        assert done.returncode == 0, done.stderr

    assert project.boot() != boot
    assert project.inside("cat", "data/data.csv") == "1,2\n"
    assert project.inside("cat", "mine") == "mine\n"
    assert running_work(project.machine) == []


@contextmanager
def at_work(project: Project) -> Iterator[None]:
    """A program that was started over SSH, and a kernel that is computing."""
    project.inside("sh", "-c", "echo 'import time; time.sleep(5432)' > long.py")
    argv = [str(CHECKOUT / "dsvm"), "run", NAME, "--"]
    env = {"DSVM_HOME": str(project.home.root), "PATH": "/usr/bin:/bin"}
    kernel = ["/opt/dsvm/envs/one/bin/jupyter-run", "--kernel=one", "long.py"]
    with (
        subprocess.Popen([*argv, "sleep", "5432"], env=env, stdin=subprocess.DEVNULL) as program,
        subprocess.Popen([*argv, *kernel], env=env, stdin=subprocess.DEVNULL) as computing,
    ):
        try:
            deadline = time.monotonic() + WAIT_S
            while not {"kernel one of ds", "`sleep 5432` of ds"} <= set(
                running_work(project.machine)
            ):
                assert time.monotonic() < deadline, running_work(project.machine)
                time.sleep(0.1)
            yield
        finally:
            program.kill()
            computing.kill()


def test_up_renews_the_guest_code_and_what_runs_goes_on(project: Project) -> None:
    """The machine is made older by hand: other code, a unit that is gone today, no `dsvm.sh`."""
    unit = "usr/lib/systemd/system/dsvm-gone.service"
    spoil = f"""
        set -e
        cd /
        echo '{{"digest": "old", "files": ["{unit}"]}}' > {MANIFEST}
        touch {unit}
        echo 'raise SystemExit("the old code")' > {CODE}/work.py
        rm etc/profile.d/dsvm.sh
    """
    project.define()
    project.up("up", "--yes")
    project.inside("sudo", "sh", "-c", spoil)
    assert project.dsvm("stop", NAME).returncode == 0
    assert project.dsvm("start", NAME).returncode == 0
    rows = json.loads(project.dsvm("ls", "--json").stdout)
    notes = next(row["notes"] for row in rows if row["name"] == NAME)
    project.inside("sudo", "systemd-run", "--quiet", "--unit=goes-on", "sleep", "5000")
    pid = project.inside("systemctl", "show", "-P", "MainPID", "goes-on")

    with unbooted(project):
        changes = project.up()["changes"]

    rows = json.loads(project.dsvm("ls", "--json").stdout)
    assert any("`dsvm up` renews it" in note for note in notes)
    assert "guest code renewed" in changes
    assert next(row["notes"] for row in rows if row["name"] == NAME) == [
        note for note in notes if "renews" not in note
    ]
    assert running_work(project.machine) == []
    assert project.inside("systemctl", "show", "-P", "MainPID", "goes-on") == pid
    project.inside("test", "-e", "/etc/profile.d/dsvm.sh")
    ours = PurePosixPath("/usr/lib/dsvm")
    paths = [PurePosixPath("/", entry.path) for entry in entries()]
    parts = {path.relative_to(ours).parts[0] for path in paths if path.is_relative_to(ours)}
    assert set(project.inside("ls", "-A", str(ours)).split()) == parts
    gone = ["test", "-e", f"/{unit}"]
    assert project.machine.ssh.run(gone, check=False).returncode == 1
    assert project.proven() == {"git", "machine"}
    assert project.up()["unchanged"] is True
