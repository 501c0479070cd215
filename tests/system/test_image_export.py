"""An exported image boots with plain QEMU and OVMF, as docs/images.md shows it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dsvm.build.tools_tree import ToolsTree
from dsvm.home import Home
from dsvm.host.prepare import prepare
from dsvm.lock import read_lock
from dsvm.machines.ports import choose_port
from dsvm.progress import Silent
from dsvm.store import Store
from tests.system.persons import make_key
from tests.system.typed import CHECKOUT, Dsvm

PAGE = (CHECKOUT / "docs/images.md").read_text()
DEFINITION = """\
name = "class"
profile = ""
tools = ["git"]
[environments.one]
requirements = ["tabulate"]
"""
BOOT_S = 240.0
ROOT_BYTES = 39 << 30
Run = Callable[..., str]


def block(language: str, number: int = 0) -> str:
    """What docs/images.md shows."""
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found[number]


@pytest.fixture(scope="module")
def folder(home: Home, dsvm: Dsvm) -> Path:
    """Of a definition, with its image exported."""
    prepare("qemu", home, Silent(), agree=lambda question: True)
    folder = home.root / "definitions" / "class"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dsvm.toml").write_text(DEFINITION)
    done = dsvm("image", "export", "class.qcow2", "--yes", cwd=folder, timeout_s=900)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def inside(folder: Path, home: Home) -> Iterator[Run]:
    """Runs a command in the machine that booted from it, as its first user or another."""
    key = folder / "key"
    key.unlink(missing_ok=True)
    public = make_key(key)
    user_data = block("yaml").replace("ssh-ed25519 AAAA... ada@laptop", public)
    (folder / "user-data").write_text(user_data)
    for left in ("disk.qcow2", "seed.img", "console.log"):
        (folder / left).unlink(missing_ok=True)
    subprocess.run(["sh", "-ec", with_tools(folder, home) + block("sh")], cwd=folder, check=True)
    port = choose_port(str(folder), ())
    create, boot = block("sh", 1).split("\n", 1)
    subprocess.run(shlex.split(create), cwd=folder, check=True, capture_output=True)
    boot = boot.replace("\\\n", " ").replace("-accel kvm", "-accel tcg,thread=multi")
    machine = subprocess.Popen(shlex.split(boot.replace("2222", str(port))), cwd=folder)

    def run(command: str, user: str = "ada") -> str:
        options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
        options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=10"]
        words = ["ssh", *options, "-i", str(key), "-p", str(port), f"{user}@127.0.0.1", command]
        return subprocess.run(
            words, capture_output=True, text=True, check=True, timeout=120
        ).stdout.strip()

    try:
        _answers(run, machine, folder / "console.log")
        yield run
    finally:
        machine.kill()
        machine.wait()


def _answers(run: Run, machine: subprocess.Popen[bytes], console: Path) -> None:
    deadline = time.monotonic() + BOOT_S
    while True:
        with suppress(subprocess.CalledProcessError, subprocess.TimeoutExpired):
            run("true")
            return
        said = console.read_text(errors="replace")[-4000:] if console.exists() else ""
        assert machine.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(1)


def with_tools(folder: Path, home: Home) -> str:
    """Shell words that put first on PATH the programs of the page that a host may lack."""
    lock = read_lock(folder / "class.qcow2.lock")
    assert lock is not None
    tools = ToolsTree.of(lock.tools_tree, Store(home.store), home)
    exports = "".join(f"export {key}={shlex.quote(text)}\n" for key, text in tools.env.items())
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name in ("mkfs.vfat", "mcopy"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join(tools.argv(name))} "$@"\n')
        program.chmod(0o755)
    return f"{exports}export PATH={shlex.quote(str(programs))}:$PATH\n"


def test_the_same_definition_gives_the_same_bytes(folder: Path, dsvm: Dsvm) -> None:
    for name in ("one.raw", "two.raw"):
        done = dsvm("image", "export", name, "--format", "raw", "--yes", cwd=folder)
        assert done.returncode == 0, done.stderr

    same = subprocess.run(["cmp", "one.raw", "two.raw"], cwd=folder, check=False)
    kept = Path(folder, "one.raw").stat()
    for name in ("one.raw", "two.raw"):
        Path(folder, name).unlink()
        Path(folder, f"{name}.lock").unlink()
    assert same.returncode == 0
    assert kept.st_blocks * 512 < kept.st_size  # holes stay holes


def test_its_first_users_are_those_of_nocloud(inside: Run) -> None:
    assert inside("hostname; whoami; sudo whoami").split() == ["class", "ada", "root"]
    assert inside("whoami", user="ds") == "ds"
    with pytest.raises(subprocess.CalledProcessError):
        inside("true", user="root")


def test_it_has_grown_into_its_disk(inside: Run) -> None:
    assert int(inside("df -B1 --output=size / | tail -1")) > ROOT_BYTES * 0.95


def test_its_environments_are_there_and_everybody_has_an_own_view(inside: Run) -> None:
    python = "/opt/dsvm/envs/one/bin/python"
    assert inside(f"{python} -c 'import tabulate; print(tabulate.tabulate([[42]]))'").count("42")
    place = inside(f"{python} -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))'")
    inside(f"echo mine > {place}/mine.py")
    assert inside(f"test ! -e {place}/mine.py && echo none", user="ds") == "none"


def test_all_of_it_is_well(inside: Run) -> None:
    state = json.loads(inside("sudo cat /run/dsvm/state.json"))
    assert state["errors"] == []
    assert inside("systemctl --failed --plain --no-legend") == ""


def test_its_keys_are_its_own(inside: Run, folder: Path) -> None:
    made = inside("sudo sha256sum /etc/ssh/ssh_host_ed25519_key").split()[0]
    assert len(made) == 64
    seed = json.loads(inside("sudo cat /run/dsvm/seed/seed.json"))
    assert (seed["host_key"], seed["authorized_keys"], seed["network"]) == ("", [], None)
