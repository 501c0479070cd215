"""What a machine inherits of its host's network, and that passwords in it go nowhere else.

A proxy with a password is what `dsvm up` really goes through; the same password stands in pip's,
apt's and npm's settings of the host.
"""

from __future__ import annotations

import base64
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zstandard

from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.machines.state import Machines
from tests.system.persons import make_key, public_key, user
from tests.system.ports import own_address
from tests.system.proxy import proxy
from tests.system.typed import Dsvm

NAME = "inheriting"
SECRET = "pl4nted-s3cret"
USER = f"planted:{SECRET}"
SHAPES = (SECRET.encode(), base64.b64encode(USER.encode()).rstrip(b"="))
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


@dataclass
class Planted:
    """The machine, what `up` said, which processes showed the password while it worked."""

    home: Home
    folder: Path
    env: dict[str, str]
    began: float
    forwarded: int = 0
    said: str = ""
    shown: set[str] = field(default_factory=set)

    @property
    def machine(self) -> Machine:
        return Machines(self.home).get(NAME)

    def define(self, inherit: bool) -> None:
        lines = [f'name = "{NAME}"', 'profile = ""', 'tools = ["git"]']
        # A version that no other test asks for: its layer is built with the password around.
        lines += ["[environments.one]", 'requirements = ["tabulate==0.8.9"]']
        lines += [
            "[size]",
            "cpus = 1",
            'memory = "1G"',
            user("ada", public_key(self.folder / "ada")),
        ]
        lines += ["[network]", f"inherit = {str(inherit).lower()}"]
        (self.folder / "dsvm.toml").write_text("\n".join(lines) + "\n")

    def inside(self, script: str) -> str:
        return self.machine.ssh.run(["bash", "-c", script], timeout_s=120).stdout

    def as_ada(self, script: str) -> str:
        words = ["sudo", "-n", "-u", "ada", "env", "-i", "sh", "-c", f"exec 2>&1\n{script}"]
        return self.machine.ssh.run(words, timeout_s=60, check=False).stdout

    def holding(self) -> list[str]:
        """Every file inside that holds the password, whoever may read it; layers included.

        What is looked for comes by stdin: sudo writes command lines to the journal.
        """
        words = "grep -rslaF -f - / --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev"
        done = self.machine.ssh.run(
            ["sudo", "-n", *words.split()], stdin=b"\n".join(SHAPES), check=False, timeout_s=120
        )
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def planted(home: Home, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    address = own_address()
    if not address:
        pytest.skip("this host has no address but the loopback, which no machine inherits")
    folder, settings = home.root / "definitions" / NAME, tmp_path_factory.mktemp("settings")
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("ada", "ada.pub", "dsvm.lock"):
        (folder / file).unlink(missing_ok=True)
    make_key(folder / "ada")
    dsvm("rm", NAME, "--yes")
    with proxy(address, USER) as server:
        (settings / "pip.conf").write_text(
            f"[global]\nextra-index-url = {server.url(USER, '/simple')}\n"
        )
        (settings / "apt.conf").write_text(f'Acquire::http::Proxy "{server.url(USER)}";\n')
        (settings / "npmrc").write_text(f"//registry.example/:_authToken={SECRET}\n")
        env = {
            **dict.fromkeys(PROXIES, server.url(USER)),
            "PIP_CONFIG_FILE": str(settings / "pip.conf"),
            "APT_CONFIG": str(settings / "apt.conf"),
            "NPM_CONFIG_USERCONFIG": str(settings / "npmrc"),
        }
        found = Planted(home, folder, env, time.time())
        found.define(inherit=True)
        with watched(found.shown):
            done = dsvm("up", "--yes", "--json", cwd=folder, env=env, timeout_s=900)
        found.forwarded, found.said = server.used, done.stdout + done.stderr
        assert done.returncode == 0, found.said
        yield found
    dsvm("rm", NAME, "--yes")


@contextmanager
def watched(shown: set[str]) -> Iterator[None]:
    """Collect the command lines that show the password meanwhile."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = file.read_bytes()
                except OSError:
                    continue  # it has just ended
                if any(shape in line for shape in SHAPES):
                    shown.add(line.replace(b"\0", b" ").decode(errors="replace"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_password_of_the_hosts_is_in_no_command_line_and_no_output(planted: Planted) -> None:
    assert planted.forwarded > 0
    assert planted.shown == set()
    assert SECRET not in planted.said


def test_a_password_of_the_hosts_is_in_no_file_but_three_that_need_it(planted: Planted) -> None:
    """Of what was written since: layers, image, lock, logs, reports, caches."""
    folder = planted.machine.folder
    seed, disk = folder / "seed" / "seed.json", folder / "disk.qcow2"
    for_apt = set((planted.home.cache / "apt").glob("*/apt.conf"))
    written = written_since(planted)
    holding = set(filter(holds, written))

    assert any(path.suffix == ".qcow2" for path in written)
    assert any("reports" in path.parts for path in written)
    assert seed in holding
    assert holding <= {seed, disk} | for_apt
    assert not [path for path in holding if open_to_others(path)]


def written_since(planted: Planted) -> set[Path]:
    return {
        path
        for path in planted.home.root.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= planted.began
    }


def holds(path: Path, *shapes: bytes) -> bool:
    words = [word for shape in shapes or SHAPES for word in ("-e", shape.decode())]
    return subprocess.run(["grep", "-qaF", *words, path], check=False).returncode == 0


def open_to_others(path: Path) -> bool:
    return all(stat.S_IMODE(one.stat().st_mode) & 7 for one in (path, *path.parents))


def test_a_password_of_the_hosts_is_in_no_pack_and_no_exported_image(
    planted: Planted, dsvm: Dsvm, tmp_path: Path
) -> None:
    pack, image, shown = planted.folder / "out.dsvm", planted.folder / "out.raw", set[str]()
    commands = [["snapshot"], ["pack", NAME, pack.name]]
    commands.append(["image", "export", image.name, "--format", "raw"])
    with watched(shown):
        for words in commands:
            done = dsvm(*words, "--yes", cwd=planted.folder, env=planted.env, timeout_s=900)
            assert done.returncode == 0, done.stderr
            assert SECRET not in done.stdout + done.stderr
    with pack.open("rb") as packed, (tmp_path / "unpacked").open("wb") as unpacked:
        zstandard.ZstdDecompressor().copy_stream(packed, unpacked)

    assert shown == set()
    for file, word in ((tmp_path / "unpacked", NAME), (image, "dsvm-guest")):
        assert holds(file, word.encode()), "what is looked through is not what it should be"
        assert not holds(file)
    holding = set(filter(holds, written_since(planted)))
    assert any(path.match("snapshots/*/seed/seed.json") for path in holding)
    own = {path for path in holding if path.is_relative_to(planted.machine.folder)}
    assert holding - own <= set((planted.home.cache / "apt").glob("*/apt.conf"))
    assert not [path for path in holding if open_to_others(path)]
    for file in (pack, image):
        file.unlink()


def test_inside_only_the_login_and_root_read_it(planted: Planted) -> None:
    holding = planted.holding()

    assert "/run/dsvm/login.env" in holding
    assert "/etc/apt/apt.conf.d/90dsvm" in holding
    assert not [path for path in holding if path.startswith(("/run/dsvm/layers", "/opt", "/var"))]
    readable = planted.as_ada(f"for f in {' '.join(holding)}; do test -r $f && echo $f; done")
    assert readable == ""
    everything = "cat /proc/*/cmdline /proc/*/environ /run/motd.d/* /run/dsvm/state.json; env"
    assert SECRET not in planted.as_ada(everything)
    assert planted.inside("printenv https_proxy").strip() == planted.env["https_proxy"]


def test_a_user_without_the_password_still_asks_apt_and_pip(planted: Planted) -> None:
    assert "Installed:" in planted.as_ada("apt-cache policy git")
    assert "tabulate" in planted.as_ada("/opt/dsvm/envs/one/bin/pip list")


def test_without_inheriting_nothing_of_the_host_is_inside(planted: Planted, dsvm: Dsvm) -> None:
    planted.define(inherit=False)
    goes_on = planted.machine.ssh.argv(["sleep", "5432"])

    with subprocess.Popen(goes_on, stdin=subprocess.DEVNULL) as running:
        done = dsvm("up", "--yes", cwd=planted.folder, env=planted.env)
        assert running.poll() is None
        running.kill()

    assert done.returncode == 0, done.stderr
    assert "network changed" in done.stdout + done.stderr
    assert planted.holding() == []
    variables = planted.inside("bash -lc env | cut -d= -f1 | sort").split()
    words = ("PROXY", "PIP", "UV_", "NPM", "CERT", "CA_", "INDEX")
    assert not [name for name in variables if any(word in name.upper() for word in words)]
    gone = "/etc/pip.conf /etc/uv /etc/npmrc /etc/apt/apt.conf.d/90dsvm ~/.npmrc ~/.config/uv"
    assert planted.inside(f"ls -d {gone} 2>/dev/null; true") == ""
    assert planted.inside("ls /usr/local/share/ca-certificates") == ""
    sources = planted.inside("cat /etc/apt/sources.list /etc/apt/sources.list.d/*; true")
    assert "Inherited from the host" not in sources
