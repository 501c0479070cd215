"""Environments, kernels and further users of one machine, as these people use them.

The tests follow one another on one machine: `ds` is its owner, `ada` and `bob` are users.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.machines.state import Machines
from tests.system.kernels import answer, await_kernels, kernels
from tests.system.persons import Person, make_key, public_key, user
from tests.system.typed import Dsvm

NAME = "people"
ONE = "/opt/dsvm/envs/one"
OLD, NEW = "0.8.10", "0.9.0"
VERSION = "import tabulate; print(tabulate.__version__)"
PREFIX = "import sys; print(sys.prefix)"


@dataclass(frozen=True)
class People:
    """The machine, the folder of its definition, and who may come."""

    home: Home
    dsvm: Dsvm
    folder: Path
    keys: Path

    @property
    def machine(self) -> Machine:
        return Machines(self.home).get(NAME)

    @property
    def ada(self) -> Person:
        return Person(self.machine, "ada", self.keys / "ada")

    @property
    def bob(self) -> Person:
        return Person(self.machine, "bob", self.keys / "bob")

    @property
    def shared(self) -> Path:
        """A folder of the host that is seen inside at ~/shared."""
        return self.folder / "shared"

    def define(self, *users: str) -> None:
        lines = [f'name = "{NAME}"', 'profile = ""', 'tools = ["git", "jupyterlab"]']
        lines += ["[environments.one]", f'requirements = ["tabulate=={OLD}", "uv"]']
        lines += ["[size]", "cpus = 1", 'memory = "1G"']
        lines += ["[mounts]", f'"~/shared" = "{self.shared}"']
        lines += [user(name, public_key(self.keys / name)) for name in users]
        (self.folder / "dsvm.toml").write_text("\n".join(lines) + "\n")

    def up(self) -> dict[str, Any]:
        return dict(self.asked("up", "--yes"))

    def asked(self, *words: str) -> Any:
        """What `dsvm` answers as JSON."""
        done = self.dsvm(*words, "--json", cwd=self.folder, timeout_s=900)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def inside(self, script: str) -> str:
        return self.machine.ssh.run(["bash", "-c", script], timeout_s=120).stdout


@pytest.fixture(scope="module")
def people(home: Home, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    folder, keys = home.root / "definitions" / NAME, tmp_path_factory.mktemp("keys")
    (folder / "shared").mkdir(parents=True, exist_ok=True)
    for name in ("ada", "bob"):
        make_key(keys / name)
    dsvm("rm", NAME, "--yes")
    found = People(home, dsvm, folder, keys)
    found.define("ada", "bob")
    found.up()
    yield found
    dsvm("rm", NAME, "--yes")


def test_what_the_owner_changes_is_told_and_taken_back(people: People) -> None:
    def row() -> dict[str, Any]:
        return next(one for one in people.asked("env", "ls") if one["name"] == "one")

    assert row()["changed"] is False
    people.inside(f"{ONE}/bin/pip install -q tabulate=={NEW} && echo '# mine' > {ONE}/notes.txt")
    changed = people.dsvm("env", "ls", cwd=people.folder)
    diff = people.dsvm("env", "diff", "one", cwd=people.folder)
    newer = people.inside(f"{ONE}/bin/python -c '{VERSION}'")

    assert row()["changed"] is True
    assert "by you" in changed.stdout
    assert diff.stdout.splitlines() == [f"~ tabulate {OLD} -> {NEW}", "+ notes.txt"]
    assert newer == f"{NEW}\n"

    unsure = people.dsvm("env", "reset", "one", cwd=people.folder)
    people.asked("env", "reset", "one", "--yes")

    assert unsure.returncode == 1
    assert people.inside(f"{ONE}/bin/python -c '{VERSION}'") == f"{OLD}\n"
    assert people.inside(f"ls {ONE}").split() == ["bin", "lib", "lib64", "pyvenv.cfg", "share"]
    assert people.dsvm("env", "diff", "one", cwd=people.folder).stdout == ""
    assert row()["changed"] is False


def test_what_is_written_in_a_mounted_folder_belongs_to_the_caller(people: People) -> None:
    (people.shared / "theirs").write_text("of the host\n")

    assert people.inside("cat shared/theirs; echo inside > shared/mine") == "of the host\n"
    assert (people.shared / "mine").read_text() == "inside\n"
    assert (people.shared / "mine").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    ("kernel", "make"),
    [
        ("made", ""),
        ("by-venv", "python3 -m venv ~/work/by-venv"),
        ("by-uv", f"cd ~/work && {ONE}/bin/uv venv -q by-uv"),
        (
            "by-conda",
            # What marks a conda environment is conda-meta, and an interpreter of its own below it.
            "cd ~ && mkdir -p by-conda/bin by-conda/lib by-conda/conda-meta"
            " && echo '==> 2026-11-24 <==' > by-conda/conda-meta/history"
            " && cp /usr/bin/python3.*[0-9] by-conda/bin/ && cp -r /usr/lib/python3.*[0-9]"
            " by-conda/lib/ && ln -s $(ls by-conda/bin) by-conda/bin/python",
        ),
    ],
)
def test_an_environment_of_ones_own_is_a_kernel_while_it_is_there(
    people: People, kernel: str, make: str
) -> None:
    before = kernels(people.machine)
    if make:
        people.inside(f"mkdir -p ~/work; {make}")
    else:
        people.asked("env", "create", kernel)

    await_kernels(people.machine, lambda found: found - before == {kernel})
    prefix = answer(people.machine, kernel, PREFIX, asker="one")
    rows = {one["name"]: one for one in people.asked("env", "ls")}
    people.inside(f"rm -r {prefix}")
    await_kernels(people.machine, lambda found: found == before)

    assert prefix.startswith("/home/ds/")
    assert prefix.endswith(f"/{kernel}")
    assert (rows[kernel]["own"], rows[kernel]["mountpoint"]) == (True, prefix)


def test_a_user_has_a_login_and_a_home_and_no_more(people: People) -> None:
    told = people.ada.type("id -nu; pwd; id -nG; stat -c '%a %U' ~; ls -A ~/..").stdout.splitlines()

    assert told[0:2] == ["ada", "/home/ada"]
    assert set(told[2].split()) == {"ada", "dsvm-users"}
    assert told[3] == "700 ada"
    assert people.ada.type("sudo -n true", check=False).returncode != 0
    assert people.ada.type("sudo -n dsvm-guest apply", check=False).returncode != 0
    stranger = Person(people.machine, "bob", people.keys / "ada")
    assert "Permission denied (publickey)" in stranger.type("true", check=False).stderr
    root = Person(people.machine, "root", people.keys / "ada")
    assert "Permission denied (publickey)" in root.type("true", check=False).stderr


def test_what_a_user_installs_is_seen_by_that_user_alone(people: People) -> None:
    ada, bob = people.ada, people.bob
    version = f"{ONE}/bin/python -c '{VERSION}'"

    ada.type(f"{ONE}/bin/pip install -q tabulate=={NEW} && {ONE}/bin/pip uninstall -qy uv")
    bob.type(f"echo bob > {ONE}/lib/own.txt")

    assert ada.type(version).stdout == f"{NEW}\n"
    assert ada.type(f"test -e {ONE}/lib/own.txt", check=False).returncode == 1
    assert bob.type(version).stdout == people.inside(version) == f"{OLD}\n"
    assert people.inside(f"ls {ONE}/lib {ONE}/bin/uv").count("own.txt") == 0
    diff = ada.type("dsvm-guest env diff one").stdout.splitlines()
    assert diff[0].startswith("- uv ")
    assert diff[1:] == [f"~ tabulate {OLD} -> {NEW}"]
    assert "(changed by you)" in ada.type("dsvm-guest env ls").stdout
    assert bob.type("dsvm-guest env diff one").stdout == "+ lib/own.txt\n"
    assert people.dsvm("env", "diff", "one", cwd=people.folder).stdout == ""

    # Not through a process of ada's that lives outside of her sessions, either.
    assert outside(ada, f"{version}; touch {ONE}/x || echo refused") == f"{OLD}\nrefused\n"

    ada.type("dsvm-guest env reset one")
    assert ada.type(version).stdout == f"{OLD}\n"
    assert ada.type("dsvm-guest env diff one").stdout == ""
    assert bob.type("dsvm-guest env diff one").stdout == "+ lib/own.txt\n"


def outside(person: Person, script: str) -> str:
    """What a script says that runs as a service of the user's, not in a session."""
    unit = "[Service]\nType=oneshot\nExecStart=/bin/sh %h/script"
    place = "~/.config/systemd/user"
    person.type(f"mkdir -p {place}; cat > {place}/script.service <<'END'\n{unit}\nEND")
    person.type(f"cat > ~/script <<'END'\nexec > ~/said\n{script}\nEND")
    person.type("systemctl --user daemon-reload; systemctl --user start script")
    return person.type("cat ~/said").stdout


def test_what_a_user_installs_is_there_after_a_restart(people: People) -> None:
    people.ada.type(f"{ONE}/bin/pip install -q tabulate=={NEW}")
    assert people.dsvm("stop", NAME).returncode == 0
    assert people.dsvm("start", NAME).returncode == 0

    assert people.ada.type(f"{ONE}/bin/python -c '{VERSION}'").stdout == f"{NEW}\n"
    assert people.inside(f"{ONE}/bin/python -c '{VERSION}'") == f"{OLD}\n"
    assert people.bob.type(f"cat {ONE}/lib/own.txt").stdout == "bob\n"


def test_an_environment_of_a_users_own_is_that_users_kernel(people: People) -> None:
    listed = (
        f"for i in $(seq 100); do {ONE}/bin/jupyter kernelspec list 2>/dev/null | grep {{}} &&"
        " break; sleep 0.2; done"
    )
    people.ada.type(f"{ONE}/bin/python -m venv --without-pip ~/hers")

    assert "/home/ada/" in people.ada.type(listed.format("hers")).stdout
    assert "hers" not in kernels(people.machine)
    assert "hers" not in people.bob.type(f"{ONE}/bin/jupyter kernelspec list").stdout


def test_a_user_reads_no_secret_and_nobody_elses_files(people: People) -> None:
    people.inside("echo private > ~/private; chmod 644 ~/private")
    people.bob.type("echo private > ~/private; chmod 644 ~/private")
    token = next(iter(people.machine.record.tokens.values()))
    closed = [
        *("/home/ds", "/home/ds/private", "/home/bob/private", "/run/dsvm/seed/seed.json"),
        *("/run/dsvm/apps/jupyterlab.env", "/run/dsvm/login.env", "/run/dsvm/network.env"),
        *("/etc/ssh/ssh_host_ed25519_key", "/etc/shadow"),
        *("/var/lib/dsvm/users/bob/one/upper", "/var/lib/dsvm/overlays/one/upper"),
        *("/run/dsvm/views/one", "/run/dsvm/views/one/bob/lib", "/var/lib/dsvm/network.json"),
    ]
    script = f"for f in {' '.join(closed)}; do test -r $f && echo $f; done; true"
    assert people.ada.type(script).stdout == ""
    assert set(people.inside(f"sudo ls -d {' '.join(closed)}").split()) == set(closed)

    places = "/etc /home /opt/dsvm/apps /root /run /srv /tmp /usr/local /usr/lib/dsvm /var"
    found = people.ada.type(f"grep -rsIl -D skip -e {token} {places}; true").stdout
    seen = people.ada.type("ps -eo args; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'").stdout
    assert found == ""
    assert "jupyter-lab" in seen
    assert token not in seen


def test_a_user_who_is_taken_away_is_out_and_the_home_stays(people: People) -> None:
    people.ada.type("echo kept > ~/kept")
    people.ada.type("(trap '' TERM; exec setsid sleep 4321) &>/dev/null &")
    people.define("bob")

    (told,) = people.up()["changes"]

    assert told.startswith("user ada can no longer log in")
    assert "/home/ada" in told
    assert "Permission denied" in people.ada.type("true", check=False).stderr
    assert people.inside("pgrep -u ada; true") == ""
    assert people.inside("sudo cat /home/ada/kept") == "kept\n"
    assert people.bob.type("id -nu").stdout == "bob\n"

    people.define("ada", "bob")
    assert people.up()["changes"] == ["user ada may log in"]
    assert people.ada.type(f"cat kept; {ONE}/bin/python -c '{VERSION}'").stdout == f"kept\n{NEW}\n"


def test_a_swapped_environment_is_seen_in_sessions_that_go_on(people: People) -> None:
    ada = people.ada
    ada.type(f"{ONE}/bin/pip install -q tabulate=={NEW} idna==3.9")
    ssh = replace(people.machine.ssh, login="ada", identity=ada.key)
    _, *words = ssh.argv(["bash"])
    text = (people.folder / "dsvm.toml").read_text()
    (people.folder / "dsvm.toml").write_text(text.replace(f"tabulate=={OLD}", "tabulate==0.8.9"))
    with subprocess.Popen(
        ["ssh", "-o", "ControlPath=none", *words], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as session:  # fmt: skip
        assert session.stdin
        assert session.stdout
        session.stdin.write("echo here\n")
        session.stdin.flush()
        assert session.stdout.readline() == "here\n"

        assert "environment one swapped" in people.up()["changes"]
        said, _ = session.communicate(f"{ONE}/bin/python -c '{VERSION}'\n", timeout=60)

    assert said == "0.8.9\n"
    # What was ada's own and clashes with the new layer was set aside, the rest is there.
    assert ada.type("dsvm-guest env diff one").stdout == "+ idna 3.9\n"
    assert people.inside(f"{ONE}/bin/python -c '{VERSION}'") == "0.8.9\n"
    words = ["ssh", "-tt", "-o", "ControlPath=none", *ssh.argv()[1:]]
    shown = subprocess.run(words, input="exit\n", capture_output=True, text=True).stdout
    assert "one: your tabulate did not fit the new version and were set aside" in shown
