"""The first call on a host that has nothing: no Python, no certificates, no dsvm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.home import Home
from dsvm.lock.mirrors import mirrors
from tests.system.typed import CHECKOUT

INSTALL = "apt-get install -y --no-install-recommends python3 python3-venv ca-certificates"
# What an administrator gives every host of theirs; the host's own values are handed on.
HANDED_ON = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_PROXY")
# $1 the tree, $2 the checkout, then chroot's arguments; all mounts end with the process.
ENTER = """
set -e
mount --bind "$2" "$1/checkout"
mount -t proc proc "$1/proc"
for device in null zero random urandom; do
  : >"$1/dev/$device"; mount --bind "/dev/$device" "$1/dev/$device"
done
tree=$1; shift 2
exec chroot "$@"
"""


@dataclass(frozen=True)
class Bare:
    """A tree of Debian without Python, entered with nothing of this host but its network."""

    tree: Path
    checkout: Path

    def __call__(self, *words: str, uid: int = 0) -> subprocess.CompletedProcess[str]:
        """`./dsvm` with these words."""
        return self.run("/checkout/dsvm", *words, uid=uid)

    def run(self, *argv: str, uid: int = 0) -> subprocess.CompletedProcess[str]:
        inside = [f"--userspec={uid}:{uid}", str(self.tree), *argv]
        enter = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", ENTER, "sh"]
        handed = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        return subprocess.run(
            [*enter, str(self.tree), str(self.checkout), *inside],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PIP_CERT": "/host-ca.crt", **handed},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


@pytest.fixture(
    scope="module", params=[pytest.param("debian-12", marks=pytest.mark.long), "debian-13"]
)
def bare(
    request: pytest.FixtureRequest, home: Home, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bare]:
    folder = tmp_path_factory.mktemp("bare")
    base = load_catalog().bases[request.param]
    lines = [
        f"deb {mirrors(base, {})[archive.name]} {archive.suites[0]} main"
        for archive in base.archives
    ]
    tree, checkout = folder / "tree", folder / "checkout"
    fast = ["--variant=apt", "--dpkgopt=force-unsafe-io"]
    argv = ["mmdebstrap", "--quiet", *fast, base.suite, str(tree), *lines]
    subprocess.run(argv, check=True, capture_output=True, timeout=600)
    for source in ("/etc/resolv.conf", "/etc/hosts"):
        shutil.copyfile(source, tree / source.lstrip("/"))
    bundle = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    shutil.copyfile(bundle, tree / "host-ca.crt")
    (tree / "checkout").mkdir()
    copy_of_checkout(checkout)
    yield Bare(tree, checkout)
    shutil.rmtree(folder)


def copy_of_checkout(place: Path) -> None:
    ignored = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", "dsvm.toml")
    shutil.copytree(CHECKOUT, place, ignore=ignored)


def test_a_bare_host_is_set_up_by_the_first_call(bare: Bare) -> None:
    os.chown(bare.checkout, 65534, 65534)
    refused = bare("--version", uid=65534)
    (bare.checkout / ".venv.lock").unlink()
    os.chown(bare.checkout, 0, 0)
    first = bare("--version")
    second = bare("--version")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "error: Python 3.11 or newer with venv is missing, and only root may install it\n"
        f"hint: sudo {INSTALL}\n"
    )
    assert (first.returncode, first.stdout) == (0, "0.1.0\n"), first.stderr
    assert first.stderr.splitlines() == [
        "dsvm: installing python3 python3-venv ca-certificates with apt-get: "
        "dsvm is written in Python and fetches over TLS",
        "dsvm: setting up /checkout/.venv (once; the pinned packages of requirements.txt)",
    ]
    assert (second.returncode, second.stdout, second.stderr) == (0, "0.1.0\n", "")


PREPARE = """
import sys
from dsvm.console import Plain
from dsvm.home import Home
from dsvm.host.prepare import prepare
prepare("auto", Home.default(), Plain(sys.stderr), agree=lambda question: True)
"""


def test_a_bare_host_gets_the_engines_packages_and_doctor_lists_them(bare: Bare) -> None:
    python = "/checkout/.venv/bin/python"
    bare("--version")

    refused = bare.run(python, "-c", PREPARE, uid=65534)
    done = bare.run(python, "-c", PREPARE)
    again = bare.run(python, "-c", PREPARE)

    assert "apt-get install -y --no-install-recommends " in refused.stderr
    assert "hint: sudo apt-get install" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert "needs mmdebstrap (mmdebstrap): makes the machine's operating system tree" in done.stderr
    assert (again.returncode, again.stderr) == (0, "")
    found = json.loads(bare("doctor", "--json").stdout)
    listed = {line["name"] for line in found if line["group"] == "packages" and line["ok"]}
    assert {"mmdebstrap", "bubblewrap", "systemd-container"} <= listed


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("fresh") / "a checkout"
    copy_of_checkout(place)
    return place


def called(program: Path, cwd: Path = Path("/")) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [program, "--version"],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_two_first_calls_at_once_and_one_killed_before_leave_one_that_works(
    checkout: Path, tmp_path: Path
) -> None:
    killed = called(checkout / "dsvm")
    while not (checkout / ".venv.new" / "bin").exists():
        assert killed.poll() is None
    os.killpg(killed.pid, 9)
    killed.communicate()
    assert not (checkout / ".venv").exists()

    both = [called(checkout / "dsvm") for _ in range(2)]
    ends = [(*process.communicate(timeout=300), process.returncode) for process in both]

    assert [(out, code) for out, _, code in ends] == [("0.1.0\n", 0)] * 2
    assert sum("setting up" in err for _, err, _ in ends) == 1
    assert sorted(file.name for file in checkout.glob(".venv*")) == [".venv", ".venv.lock"]


def test_it_runs_from_any_folder_through_a_link_and_after_the_checkout_moved(
    checkout: Path, tmp_path: Path
) -> None:
    link = tmp_path / "linked"
    link.symlink_to(checkout / "dsvm")
    through = called(link, cwd=tmp_path).communicate(timeout=60)
    assert through == ("0.1.0\n", "")

    moved = checkout.rename(checkout.with_name("moved"))
    out, err = called(moved / "dsvm").communicate(timeout=300)

    assert out == "0.1.0\n"
    assert err.startswith("dsvm: setting up ")
    (moved / "src" / "dsvm" / "__init__.py").write_text('"""Another."""\n__version__ = "7"\n')
    assert called(moved / "dsvm").communicate(timeout=60) == ("7\n", "")


def test_pins_that_pip_refuses_are_told_with_their_log(tmp_path: Path) -> None:
    place = tmp_path / "checkout"
    copy_of_checkout(place)
    pins = place / "requirements.txt"
    pins.write_text(pins.read_text().replace("sha256:", "sha256:00"))

    process = called(place / "dsvm")
    out, err = process.communicate(timeout=300)

    assert (process.returncode, out) == (1, "")
    said = err.splitlines()
    assert said[1] == "error: pip could not install dsvm's packages"
    assert f"  log:   {place}/.venv.log" in said
    assert said[-1].startswith("hint: see that pip reaches its index")
    assert not (place / ".venv").exists()
