"""An ordinary user, without root: the whole way, and hosts that do not allow it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dsvm.engines import engine_named
from dsvm.engines.rawcopy import copied
from dsvm.home import Home
from dsvm.host.packages import ensure, needs
from dsvm.progress import Silent
from tests.system.host_user import host_user
from tests.system.test_bootstrap import HANDED_ON, copy_of_checkout

USER = "dsvm-test-user"
DEFINITION = (
    'name = "plain"\nprofile = ""\ntools = ["git"]\n[size]\ncpus = 2\nmemory = "1G"\ndisk = "4G"\n'
)
TRUST = ("PIP_CERT", "PIP_FIND_LINKS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "UV_INDEX_URL")
# An administrator's setting, made for what runs in this namespace only: see user_namespaces(7).
FORBIDDEN = "echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --ambient-caps=-all"
INSIDE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--keep-caps", "sh", "-c")


@dataclass(frozen=True)
class Person:
    """A user of this host with a checkout and a definition of their own."""

    home: Path
    uid: int

    def __call__(
        self, *words: str, prefix: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """`./dsvm` with these words, in the definition's folder, after a login's environment."""
        kept = {name: os.environ[name] for name in (*HANDED_ON, *TRUST) if name in os.environ}
        who = {"HOME": str(self.home), "USER": USER, "LOGNAME": USER}
        return subprocess.run(
            [*prefix, str(self.home / "checkout" / "dsvm"), *words],
            cwd=self.home / "lab",
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **who, **kept},
            user=self.uid,
            group=self.uid,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )

    def machine(self) -> Path:
        return self.home / ".local" / "share" / "dsvm" / "machines" / "plain"

    def processes(self) -> set[str]:
        """The names of all that runs as this user."""
        argv = ["ps", "-o", "comm=", "-u", str(self.uid)]
        said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
        return set(said.split())


@pytest.fixture(scope="module")
def person(home: Home) -> Iterator[Person]:
    ensure(
        needs(engine_named("qemu", home), root=False), home, Silent(), agree=lambda question: True
    )
    with host_user(USER, "--user-group") as user:
        made = Person(Path(user.pw_dir), user.pw_uid)
        copy_of_checkout(made.home / "checkout")
        (made.home / "lab").mkdir()
        (made.home / "lab" / "dsvm.toml").write_text(DEFINITION)
        subprocess.run(["chown", "-R", f"{USER}:", made.home], check=True)
        yield made


def test_a_host_that_forbids_user_namespaces_is_told_before_anything_is_done(
    person: Person,
) -> None:
    inside = (*INSIDE, f'{FORBIDDEN} "$@"', "sh")
    assert person("--version").returncode == 0

    up = person("up", "--yes", prefix=inside)
    doctor = person("doctor", "--json", prefix=inside)

    assert up.returncode == 1
    assert "error: this host lets no ordinary user build or run a machine" in up.stderr
    assert "user.max_user_namespaces = 0" in up.stderr
    assert "hint: sudo sysctl -w user.max_user_namespaces=15000" in up.stderr
    assert "locking" not in up.stderr
    [line] = [one for one in json.loads(doctor.stdout) if one["name"] == "user namespaces"]
    assert line["ok"] is False
    assert line["remedy"].startswith("sudo sysctl -w user.max_user_namespaces=15000")


def test_a_user_without_a_range_of_ids_is_told_the_line_that_gives_one(person: Person) -> None:
    for file, option in (("/etc/subuid", "--del-subuids"), ("/etc/subgid", "--del-subgids")):
        for line in Path(file).read_text().splitlines():
            owner, first, count = line.split(":")
            if owner == USER:
                ids = f"{first}-{int(first) + int(count) - 1}"
                subprocess.run(["usermod", option, ids, USER], check=True)

    refused = person("build", "--yes")
    hint = refused.stderr.splitlines()[-1]
    asked = hint.removeprefix("hint: sudo ").partition(";")[0].split()

    assert refused.returncode == 1
    assert f"user {USER} has no range of ids in /etc/subuid and /etc/subgid" in refused.stderr
    assert asked[0] == "usermod"
    subprocess.run(asked, check=True)  # that it helps is shown by the build below


def test_the_whole_way_without_root(person: Person, request: pytest.FixtureRequest) -> None:
    up = person("up", "--yes", "--json")
    assert up.returncode == 0, up.stderr
    told = json.loads(up.stdout)
    assert (told["engine"], told["last_report"]["summary"]["failed"]) == ("qemu", 0)
    assert {"qemu-system-x86", "passt"} <= {name[:15] for name in _short(person.processes())}

    inside = person(
        "run", "--", "sh", "-c", "id -un; systemd-detect-virt; df --output=size / | tail -1"
    )
    user, kind, blocks = inside.stdout.split()
    assert (user, kind) == ("ds", "qemu")
    assert int(blocks) > 3 << 20  # the file system has grown to the disk's 4 GiB
    assert (person.machine() / "disk.qcow2").stat().st_blocks * 512 < 256 << 20

    assert person("snapshot", "--json").returncode == 0
    assert person("stop").returncode == 0
    console = person.machine() / "logs" / "console.log"
    assert "Power down" in console.read_text(errors="replace")[-500:]
    assert (console.stat().st_uid, console.stat().st_mode & 0o077) == (person.uid, 0)
    if request.config.getoption("--long"):
        assert person("start").returncode == 0
        assert person("run", "--", "id", "-un").stdout == "ds\n"

    gone = person("rm", "plain", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert not person.machine().exists()
    deadline = time.monotonic() + 20
    while left := person.processes():
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _short(names: set[str]) -> set[str]:
    """passt runs a build for the processor: `passt.avx2`."""
    return {name.partition(".")[0] for name in names}


@pytest.mark.rootless
def test_a_disk_is_changed_through_a_copy_where_there_is_no_fuse(tmp_path: Path) -> None:
    image, disk, window = tmp_path / "image", tmp_path / "disk, of mine", (1 << 20, 6 << 20)
    image.write_bytes(os.urandom(8 << 20))
    options = ["-q", "-f", "qcow2", "-b", str(image), "-F", "raw"]
    subprocess.run(["qemu-img", "create", *options, str(disk), "64M"], check=True)

    with copied(disk) as whole, whole.open("r+b") as file:
        file.seek(48 << 20)
        file.write(b"grown")
    with copied(disk, window) as part, part.open("r+b") as file:
        file.write(b"first")
        file.seek(2 << 20)
        file.write(bytes(1 << 20))

    raw = tmp_path / "raw"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", disk, raw], check=True)
    wanted = bytearray(image.read_bytes().ljust(64 << 20, b"\0"))
    wanted[48 << 20 : (48 << 20) + 5] = b"grown"
    wanted[1 << 20 : (1 << 20) + 5] = b"first"
    wanted[3 << 20 : 4 << 20] = bytes(1 << 20)
    assert raw.read_bytes() == wanted
    assert disk.stat().st_blocks * 512 < 1 << 20
    assert sorted(one.name for one in tmp_path.iterdir()) == ["disk, of mine", "image", "raw"]
