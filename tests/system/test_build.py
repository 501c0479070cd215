"""The image, read back by other tools than those that wrote it; and what is built again when."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from dsvm.build.build import build
from dsvm.build.disk import ESP_OFFSET, ROOT_OFFSET
from dsvm.build.model import Image, Layer
from dsvm.build.tools_tree import ToolsTree
from dsvm.home import Home
from dsvm.lock import write_lock
from dsvm.lock.model import Lock
from dsvm.scratch import sweep
from dsvm.store import Store
from tests.system.build_support import CHECKOUT, copy_downloads, locked, small


@pytest.fixture(scope="module")
def lock(home: Home) -> Lock:
    return locked(small(), home)


@pytest.fixture(scope="module")
def image(lock: Lock, home: Home) -> Image:
    return build(lock, small(), home)


@pytest.fixture(scope="module")
def store(home: Home) -> Store:
    return Store(home.store)


@pytest.fixture(scope="module")
def tools(lock: Lock, store: Store, home: Home) -> ToolsTree:
    return ToolsTree.of(lock.tools_tree, store, home)


def layer(image: Image, name: str) -> Layer:
    return next(layer for layer in image.layers if layer.name == name)


def test_the_disk_has_valid_partitions_and_file_systems(
    image: Image, store: Store, tools: ToolsTree, tmp_path: Path
) -> None:
    disk, log = store.get(image.digest), tmp_path / "log"

    listed = tools.run("sfdisk", "--dump", disk, log=log)
    tools.run("sfdisk", "--verify", disk, log=log)
    tools.run("e2fsck", "-fn", f"{disk}?offset={ROOT_OFFSET}", log=log)

    assert "label: gpt" in listed
    assert "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" in listed
    assert image.root_offset == ROOT_OFFSET
    # mke2fs's choice for what is this small would cost 6 % of the disk when it has grown.
    with disk.open("rb") as file:
        file.seek(ROOT_OFFSET + 1024)  # ext4's super block, see ext4(5)
        head = file.read(1024)
    blocks, inodes = (struct.unpack_from("<I", head, at)[0] for at in (24, 40))
    assert 1024 << blocks == 4096
    assert inodes * struct.unpack_from("<H", head, 88)[0] < 0.02 * 128 * 2**20  # of each group


def test_the_boot_partition_starts_the_kernel_of_the_tree(
    image: Image, store: Store, tools: ToolsTree, tmp_path: Path
) -> None:
    drive, log = f"{store.get(image.digest)}@@{ESP_OFFSET}", tmp_path / "log"
    tools.run("mcopy", "-i", drive, "::/dsvm/vmlinuz", tmp_path / "vmlinuz", log=log)
    entry = tools.run("mtype", "-i", drive, "::/loader/entries/dsvm.conf", log=log)
    tools.run("mcopy", "-i", drive, "::/EFI/BOOT/BOOTX64.EFI", tmp_path / "efi", log=log)

    with tarfile.open(store.get(layer(image, "os").digest)) as tar:
        name = next(name for name in tar.getnames() if name.startswith("./boot/vmlinuz-"))
        kernel = tar.extractfile(name)
        assert kernel
        assert (tmp_path / "vmlinuz").read_bytes() == kernel.read()
    assert (tmp_path / "efi").read_bytes()[:2] == b"MZ"
    dump = tools.run("sfdisk", "--dump", store.get(image.digest), log=log)
    root = next(line for line in dump.splitlines() if 'name="root"' in line)
    uuid = root.split("uuid=")[1].split(",")[0].lower()
    assert f"root=PARTUUID={uuid}" in entry


def test_the_os_tree_holds_nothing_of_the_builder(image: Image, store: Store, home: Home) -> None:
    with tarfile.open(store.get(layer(image, "os").digest)) as tar:
        names = {member.name for member in tar}
        sources = tar.extractfile("./etc/apt/sources.list.d/debian.sources")
        machine_id = tar.getmember("./etc/machine-id")
        assert sources
        assert b"Suites: trixie" in sources.read()
    builder = [str(home.root).encode(), b"dsvm-build-", b"99mmdebstrap"]
    grep = ["grep", "-c", "-a", "-F", *(word for b in builder for word in ("-e", b.decode()))]
    count = subprocess.run(
        [*grep, str(store.get(layer(image, "os").digest))], capture_output=True, text=True
    )

    assert machine_id.size == 0
    assert count.stdout.strip() == "0"
    for left in ("etc/ssh/ssh_host_ed25519_key", "etc/resolv.conf", "boot/initrd.img"):
        assert not any(name.startswith(f"./{left}") for name in names)


def test_an_environment_runs_from_its_layer_and_belongs_to_the_login(
    image: Image, store: Store, tools: ToolsTree, tmp_path: Path
) -> None:
    one, log = layer(image, "env-tiny-cpu"), tmp_path / "log"
    frozen = store.get(one.digest)

    tools.run("fsck.erofs", frozen, log=log)
    inode = tools.run("dump.erofs", "--path=/pyvenv.cfg", frozen, log=log)
    listed = tools.run("dump.erofs", "--path=/bin", "--ls", frozen, log=log)
    settings = tools.run("dump.erofs", "--path=/pyvenv.cfg", "--cat", frozen, log=log)

    assert "Uid: 1000" in inode
    assert "f2py" in listed
    assert "home = /usr/bin\n" in settings
    assert one.mountpoint == "/opt/dsvm/envs/tiny"


def test_what_is_built_is_not_built_again(image: Image, lock: Lock, home: Home) -> None:
    began = time.monotonic()
    again = build(lock, small(), home)
    took = time.monotonic() - began

    assert again.id == image.id
    assert all(layer.cached for layer in again.layers)
    assert took < 0.3


def test_a_change_builds_only_what_depends_on_it(image: Image, lock: Lock, home: Home) -> None:
    tiny = lock.environments[0]
    fewer = tuple(package for package in tiny.packages if package.name != "requests")
    changed = tiny.model_copy(update={"packages": fewer})

    new = build(lock.model_copy(update={"environments": (changed,)}), small(), home)

    assert {layer.name for layer in new.layers if not layer.cached} == {"env-tiny-cpu"}
    assert new.digest == image.digest
    assert new.id != image.id


def test_a_killed_build_leaves_no_process_and_its_folder_is_swept(
    lock: Lock, home: Home, tmp_path: Path
) -> None:
    other = Home(tmp_path / "home")
    copy_downloads(lock, home, other)
    write_lock(tmp_path / "dsvm.lock", lock)
    command = [sys.executable, "-m", "tests.system.build_support", str(other.root)]
    paths = f"{CHECKOUT}:{CHECKOUT / 'src'}"
    builder = subprocess.Popen(
        [*command, str(tmp_path / "dsvm.lock")], env={**os.environ, "PYTHONPATH": paths}
    )
    work = _working(builder.pid)
    builder.kill()
    builder.wait()

    deadline = time.monotonic() + 10
    while (left := _processes_in(work)) and time.monotonic() < deadline:
        time.sleep(0.1)
    sweep(work.parent)

    assert left == []
    assert not work.exists()
    assert str(work) not in Path("/proc/self/mounts").read_text()


def _working(builder: int) -> Path:
    """The folder in which the builder's mmdebstrap unpacks by now."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for program in _processes_of(builder):
            for word in program:
                packages = Path(word.rpartition(" copy:")[2].removesuffix(" ./"))
                if " copy:" in word and list(packages.parent.glob("tmp/mmdebstrap.*/usr")):
                    return packages.parent
        time.sleep(0.2)
    raise AssertionError("mmdebstrap did not start")


def _processes_of(ancestor: int) -> list[list[str]]:
    """Command lines of all descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = [], [ancestor]
    while todo:
        for child in children.get(todo.pop(), []):
            todo.append(child)
            found.append(_command_line(child))
    return found


def _processes_in(work: Path) -> list[list[str]]:
    """Command lines that name the folder."""
    pids = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return [line for pid in pids if str(work) in " ".join(line := _command_line(pid))]


def _command_line(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    return []
