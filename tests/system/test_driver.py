"""NVIDIA's driver as one set: its module is really compiled, and a real apt is really refused.

The module here is a small one under the driver's name: the archive moves on, and with it which
version of the driver compiles for which kernel.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dsvm.build import debs
from dsvm.build import driver as module_of_driver
from dsvm.catalog import load_catalog
from dsvm.guest.driver_set import PACKAGE, SET
from dsvm.home import Home
from dsvm.lock import fetch_all
from dsvm.lock.driver import NotBuilt, kernel_of
from dsvm.lock.model import Lock, LockedDriver
from dsvm.lock.trees import Trees
from dsvm.store import Store
from tests.unit.build.examples import locked, make_deb
from tests.unit.lock.examples import example

BASE = load_catalog().bases["debian-13"]
CONF = """\
PACKAGE_NAME="nvidia-small"
PACKAGE_VERSION="1.0"
MAKE[0]="make modules KERNEL=${kernelver}"
CLEAN="true"
BUILT_MODULE_NAME[0]="nvidia"
DEST_MODULE_LOCATION[0]="/updates/dkms"
"""
MAKEFILE = """\
obj-m := nvidia.o
modules:
\t$(MAKE) -C /lib/modules/$(KERNEL)/build M=$(CURDIR) modules
"""
MODULE = """\
#include <linux/module.h>
#include <linux/pci.h>
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("stands in for the driver in a test");
MODULE_VERSION("1.0");
int resize(struct pci_dev *device);
int resize(struct pci_dev *device) { return %s; }
EXPORT_SYMBOL_GPL(resize);
"""
# What an older kernel had, and one that any kernel has.
GONE, THERE = "pci_resize_of_an_older_kernel(device, 0)", "pci_enable_device(device)"
SET_OF = {"libcuda1": "1.0-1", "linux-image-6.1": "6.1-1", PACKAGE: "1.0-1"}
NEWER = {"libcuda1": "2.0-1", "linux-image-6.2": "6.2-1", "jq": "1.7"}
FOLDERS = (
    *(f"var/lib/dpkg/{name}" for name in ("info", "updates")),
    *("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"),
    "etc/apt/preferences.d",
)
GUARD = """\
#!{python}
import sys
from pathlib import Path
sys.path.insert(0, {source!r})
from dsvm.guest.driver_set import driver_set, guard
why = guard(sys.stdin, driver_set(Path({root!r})))
sys.exit("error: " + why if why else 0)
"""


def lock_with(source: Path, home: Home) -> Lock:
    """Debian's kernel and its compiler, and this package as the driver's source."""
    bases = load_catalog().bases
    trees = Trees(bases, {}, home, at_once=False)
    system = trees.machine(BASE, [BASE.kernel, "kmod"], {})
    kernel = kernel_of(system)
    assert BASE.driver
    tree = trees.builder(BASE, [f"linux-headers-{kernel}", *BASE.driver.build], {})
    fetch_all(example(os=tree), home)
    made = locked(Store(home.store), source, "nvidia-small-dkms")
    tree = tree.model_copy(update={"packages": (*tree.packages, made)})
    driver = LockedDriver(
        kernel=kernel, version="1.0", cuda=12, module="nvidia-small-dkms", tree=tree, why="test"
    )
    return example(os=system, driver=driver)


def source_of(folder: Path, call: str) -> Path:
    folder.mkdir()
    place = "usr/src/nvidia-small-1.0"
    files = {"dkms.conf": CONF, "Makefile": MAKEFILE, "nvidia.c": MODULE % call}
    return make_deb(
        folder, "nvidia-small-dkms", files={f"{place}/{name}": text for name, text in files.items()}
    )


def built(lock: Lock, home: Home, log: Path) -> Path:
    assert lock.driver
    store = Store(home.store)
    return store.get(module_of_driver.build_module(lock, lock.driver, store, home, log))


def test_a_module_is_compiled_for_the_locked_kernel_to_the_same_bytes(
    home: Home, tmp_path: Path
) -> None:
    lock = lock_with(source_of(tmp_path / "source", THERE), home)
    deb = built(lock, home, tmp_path / "log")
    again = built(lock, home, tmp_path / "log")

    assert deb == again
    assert lock.driver
    subprocess.run(["dpkg-deb", "-x", deb, tmp_path / "package"], check=True)
    [module] = (tmp_path / "package").glob("usr/lib/modules/*/updates/dkms/nvidia.ko")
    assert f"\0vermagic={lock.driver.kernel} ".encode() in module.read_bytes()
    depends = subprocess.run(
        ["dpkg-deb", "-f", deb, "Depends"], check=True, capture_output=True, text=True
    ).stdout
    assert re.search(rf"linux-image-{re.escape(lock.driver.kernel)} \(= ", depends)


def test_a_source_that_the_kernel_has_outgrown_is_caught_in_the_compilers_words(
    home: Home, tmp_path: Path
) -> None:
    lock = lock_with(source_of(tmp_path / "source", GONE), home)
    with pytest.raises(NotBuilt) as caught:
        built(lock, home, tmp_path / "log")

    assert lock.driver
    assert caught.value.what == f"does not compile for {lock.driver.kernel}"
    assert "nvidia.c" in str(caught.value.cause)
    assert "pci_resize_of_an_older_kernel" in str(caught.value.cause)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A root with the driver's set installed, and a repository that has newer versions."""
    root, made, store = tmp_path / "root", tmp_path / "debs", Store(tmp_path / "store")
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    packages = []
    for name, version in (*SET_OF.items(), *NEWER.items()):
        (made / f"{name}_{version}").mkdir(parents=True)
        deb = make_deb(made / f"{name}_{version}", name, version=version)
        packages.append(locked(store, deb, name, version))
    read = [debs.read(package, store.get(package.sha256)) for package in packages]
    debs.repository(read, "test", tmp_path / "repository")
    dpkg = ["dpkg", f"--root={root}", "--force-not-root", "--force-script-chrootless", "-i"]
    subprocess.run([*dpkg, *(deb.path for deb in read[:3])], check=True, capture_output=True)
    file = root / SET.relative_to("/")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"kernel": "6.1", "version": "1.0", "cuda": 12, "packages": SET_OF}))
    script = tmp_path / "dsvm-guest"
    source = str(Path(module_of_driver.__file__).parents[2])
    script.write_text(GUARD.format(python=sys.executable, source=source, root=str(root)))
    script.chmod(0o755)
    hook = module_of_driver._HOOK.replace(module_of_driver._GUARD, str(script))
    (tmp_path / "apt.conf").write_text(
        f'{hook}Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\n'
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Bin::dpkg "/usr/bin/dpkg";\n'
        f'DPkg::Options {{ "--root={root}"; "--force-not-root"; "--force-script-chrootless"; }};\n'
        'APT::Sandbox::User "root";\nDir::Bin::Methods "/usr/lib/apt/methods";\n'
    )
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] copy:{tmp_path}/repository ./\n")
    assert apt(root, "update").returncode == 0
    return root


def apt(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "-y", *words],
        env={"APT_CONFIG": str(root.parent / "apt.conf"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
    )


def installed(root: Path) -> dict[str, str]:
    show = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${Package} ${Version}\n"]
    lines = subprocess.run(show, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[0]: line.split()[1] for line in lines}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["install", "libcuda1"], "libcuda1 2.0-1 does not go with NVIDIA's driver 1.0"),
        (["install", "linux-image-6.2"], "the kernel 6.2 has no module of NVIDIA's driver 1.0"),
        (["remove", "linux-image-6.1"], "without linux-image-6.1 there is no NVIDIA's driver"),
    ],
    ids=["library", "kernel", "removal"],
)
def test_apt_is_refused_before_anything_changes(machine: Path, words: list[str], why: str) -> None:
    before = installed(machine)
    done = apt(machine, *words)

    assert done.returncode == 100
    assert why in done.stderr
    assert "dsvm lock --upgrade" in done.stderr
    assert installed(machine) == before


def test_apt_installs_everything_else_and_may_let_go_of_the_driver(machine: Path) -> None:
    done = apt(machine, "install", "jq")
    assert done.returncode == 0, done.stderr
    assert installed(machine)["jq"] == "1.7"

    done = apt(machine, "remove", PACKAGE)
    assert done.returncode == 0, done.stderr
    assert PACKAGE not in installed(machine)
