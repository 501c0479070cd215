"""The image's disk: a raw, sparse file with GPT, boots by UEFI, is made without root or a mount.

    1 MiB     ESP (vfat): systemd-boot, the OS tree's kernel
    129 MiB   root (ext4): the OS tree and the guest's files

The kernel has the drivers of a root file system on NVMe built in and needs no initramfs. The file
system is as large as the tree and some slack; it grows with the machine that gets it.
"""

from __future__ import annotations

import tarfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from dsvm import timing
from dsvm.build import guest_tree, keys, work
from dsvm.build.driver_proof import Driver
from dsvm.build.model import Layer
from dsvm.build.tools_tree import ToolsTree
from dsvm.build.watch import watching
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.progress import Step
from dsvm.store import Store

SOURCES = ("disk.py", "driver_proof.py", "guest_tree.py")
MIB = 1024**2
ESP_OFFSET = MIB
ESP_SIZE = 128 * MIB
ROOT_OFFSET = ESP_OFFSET + ESP_SIZE
_BYTES_FOR_INODE = 16384  # as mke2fs.conf(5) has it for all but small disks
_GROWTH, _SLACK = 1.1, 160 * MIB
_ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
# "Linux root (x86-64)" of the Discoverable Partitions Specification.
_ROOT_TYPE = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
_BOOT_LOADER = "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
_KERNEL_LINE = "rootfstype=ext4 rootwait rw console=tty0 console=ttyS0,115200"


@dataclass(frozen=True)
class OsTar:
    """What of the OS layer's tar the disk needs to know. `end` is where its last member ends."""

    path: Path
    paths: frozenset[str]
    end: int
    newest: int
    kernel: bytes
    boot_loader: bytes
    release: str
    driver: Driver


def disk_key(os_key: str, guest: list[guest_tree.Entry], tools_key: str) -> str:
    return keys.key(
        "disk",
        os=os_key,
        guest=[[str(entry.path), entry.link, keys.digest(entry.content)] for entry in guest],
        tools=tools_key,
        source=keys.source_digest(*SOURCES),
    )


def build_disk(
    system: Layer,
    guest: list[guest_tree.Entry],
    key: str,
    tools: ToolsTree,
    store: Store,
    home: Home,
    log: Path,
    step: Step,
) -> str:
    """Make the disk of an OS layer, put it in the store, return its digest. Raises `DsvmError`."""
    with work.folder(2 * system.bytes + _SLACK, home.cache / "work") as scratch:
        result = scratch / "disk.raw"
        with watching(step, lambda: result.stat().st_blocks * 512):
            write_disk(store.get(system.digest), guest, result, tools, key, scratch, log)
        return store.put_file(result, move=True)


def write_disk(
    os_tar: Path,
    guest: list[guest_tree.Entry],
    target: Path,
    tools: ToolsTree,
    key: str,
    scratch: Path,
    log: Path,
) -> None:
    """Write the disk as `target`. All its ids come from `key`.

    Raises `ProgramFailed`, and `DsvmError` when the OS tree lacks a kernel, the boot loader, or the
    module of its driver for that kernel.
    """
    with timing.step("read tar"):
        system = read_os_tar(os_tar)
        system.driver.prove(system.release)
    root_size = rounded(int(system.end * _GROWTH) + _SLACK)
    with target.open("wb") as file:
        file.truncate(ROOT_OFFSET + root_size + MIB)
    with timing.step("partitions"):
        _partition(target, root_size, tools, key, log)
        _write_esp(target, system, tools, key, scratch, log)
    overlay = scratch / "guest.tar"
    overlay.write_bytes(guest_tree.tar(guest, system.paths, system.newest))
    with timing.step("mke2fs"):
        _write_root(target, root_size, system, overlay, tools, key, log)


def read_os_tar(path: Path) -> OsTar:
    """Read the headers of the OS layer's tar, and the files that boot it."""
    kernel = boot_loader = b""
    release, driver = "", Driver()
    names, newest = set(), 0
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            names.add(name)
            newest = max(newest, int(member.mtime))
            if name.startswith("boot/vmlinuz-"):
                kernel = _content(tar, member)
                release = name.removeprefix("boot/vmlinuz-")
            elif name == _BOOT_LOADER:
                boot_loader = _content(tar, member)
            elif module_of := driver.kernel_of(name):
                driver.modules[module_of] = _content(tar, member)
        end = tar.offset
    for what, found in (("kernel", kernel), ("boot loader", boot_loader)):
        if not found:
            raise DsvmError(f"the operating system has no {what}", cause="its packages bring none")
    return OsTar(path, frozenset(names), end, newest, kernel, boot_loader, release, driver)


def _partition(target: Path, root_size: int, tools: ToolsTree, key: str, log: Path) -> None:
    lines = [
        f"start={ESP_OFFSET // 512}, size={ESP_SIZE // 512}, type={_ESP_TYPE}, "
        f'uuid={part_id(key, "esp")}, name="esp"',
        f"start={ROOT_OFFSET // 512}, size={root_size // 512}, type={_ROOT_TYPE}, "
        f'uuid={part_id(key, "root")}, name="root"',
    ]
    write_table(target, part_id(key, "disk"), lines, tools, log)


def write_table(target: Path, label: str, lines: list[str], tools: ToolsTree, log: Path) -> None:
    """Write a GPT with the id `label`; `lines` are its partitions as sfdisk(8) reads them."""
    head = ["label: gpt", "unit: sectors", "sector-size: 512", f"label-id: {label}"]
    options = ["--quiet", "--no-reread", "--no-tell-kernel", "--wipe=never"]
    tools.run("sfdisk", *options, target, log=log, stdin="\n".join([*head, *lines]).encode())


def _write_esp(
    target: Path, system: OsTar, tools: ToolsTree, key: str, scratch: Path, log: Path
) -> None:
    entry = (
        "title dsvm\nlinux /dsvm/vmlinuz\n"
        f"options root=PARTUUID={part_id(key, 'root')} {_KERNEL_LINE}\n"
    )
    files = {
        "EFI/BOOT/BOOTX64.EFI": system.boot_loader,
        "dsvm/vmlinuz": system.kernel,
        "loader/loader.conf": b"timeout 0\ndefault dsvm.conf\n",
        "loader/entries/dsvm.conf": entry.encode(),
    }
    esp = scratch / "esp"
    for name, content in files.items():
        (esp / name).parent.mkdir(parents=True, exist_ok=True)
        (esp / name).write_bytes(content)
    time = {"SOURCE_DATE_EPOCH": str(system.newest)}
    volume = f"{int(key[:8], 16):08x}"
    # One sector a cluster: firmware takes a FAT32 of fewer than 65,525 clusters for a damaged one
    # (Microsoft's FAT specification, "FAT Type Determination").
    tools.run(
        "mkfs.vfat",
        *("--invariant", "-F32", "-s1", "-n", "DSVM-ESP", "-i", volume),
        *("--offset", str(ESP_OFFSET // 512), target, str(ESP_SIZE // 1024)),
        log=log,
        env=time,
    )
    drive = f"{target}@@{ESP_OFFSET}"
    folders = sorted({str(parent) for name in files for parent in list(Path(name).parents)[:-1]})
    tools.run("mmd", "-i", drive, *(f"::/{folder}" for folder in folders), log=log, env=time)
    for name in sorted(files):
        tools.run("mcopy", "-i", drive, esp / name, f"::/{name}", log=log, env=time)


def _write_root(
    target: Path,
    root_size: int,
    system: OsTar,
    overlay: Path,
    tools: ToolsTree,
    key: str,
    log: Path,
) -> None:
    """One stream for `mke2fs -d -`: the OS tar without its end mark, then the guest's."""
    extended = [
        f"offset={ROOT_OFFSET}",
        f"hash_seed={part_id(key, 'hash')}",
        "assume_storage_prezeroed=1",  # the file is new: its holes are zeros
        "root_owner=0:0",
    ]
    inode = min(_BYTES_FOR_INODE, root_size // (2 * len(system.paths)))
    # No orphan_file: hosts mount this, and kernels before 5.15 do not know it. Block and inode
    # sizes are said, for below 512 MiB mke2fs takes small ones, which then cost 6 % of any size.
    mke2fs = tools.argv(
        "mke2fs",
        *("-q", "-F", "-t", "ext4", "-O", "^orphan_file", "-m", "1", "-L", "dsvm-root"),
        *("-b", "4096", "-i", str(inode)),
        *("-U", part_id(key, "ext4"), "-E", ",".join(extended), "-d", "-"),
        *(target, f"{root_size // 1024}k"),
    )
    feed = '{ head -c "$1" "$2" && cat "$3"; } | { shift 3; exec "$@"; }'
    pipe: list[str | Path] = [
        "bash",
        "-o",
        "pipefail",
        "-c",
        feed,
        "mke2fs",
        str(system.end),
        system.path,
        overlay,
    ]
    tools.run_argv([*pipe, *mke2fs], log=log, env={"SOURCE_DATE_EPOCH": str(system.newest)})


def part_id(key: str, what: str) -> str:
    """An id that follows from the key: the same disk has the same one."""
    return str(uuid.uuid5(uuid.UUID(key[:32]), what))


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def rounded(size: int) -> int:
    """Up to whole MiB, where partitions begin."""
    return -(-size // MIB) * MIB
