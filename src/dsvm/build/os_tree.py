"""The operating system's layer: a deterministic tar of configured packages, made by mmdebstrap.

It is made from exactly the locked .debs, without a network, in a mount and process namespace that
dies with its builder; an ordinary user gets a user namespace in addition (needs a range of user
ids in /etc/subuid). The same lock gives the same bytes for anyone, anywhere, at any time: the
environment, umask and locale are fixed, and no file is younger than the youngest package.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from dsvm import timing
from dsvm.build import debs, keys, work
from dsvm.build.watch import watching
from dsvm.catalog.model import Base
from dsvm.home import Home
from dsvm.lock.model import OsTree
from dsvm.programs import stream
from dsvm.progress import Step
from dsvm.store import Store

SOURCES = ("debs.py", "os_tree.py", "customize.sh")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Of the size of the packages: unpacked they take 4 times as much, and lie there once themselves.
_UNPACKED = 5
# A package is unpacked, then configured.
STEPS = 2


def os_key(tree: OsTree, base: Base, module: str | None = None) -> str:
    """`module`: the key of a package that is made for the tree."""
    return keys.key(
        "os",
        **({"module": module} if module else {}),
        debs=keys.debs(tree.packages),
        roots=sorted(tree.roots),
        components=_components(base),
        source=keys.source_digest(*SOURCES),
    )


def build_os(tree: OsTree, base: Base, store: Store, home: Home, log: Path, step: Step) -> str:
    """Make the layer, put it in the store, return its digest.

    Raises `ProgramFailed` when a package cannot be configured, `DsvmError` without room.
    """
    packages = [debs.read(package, store.get(package.sha256)) for package in tree.packages]
    needed = _UNPACKED * sum(package.size for package in tree.packages)
    with work.folder(needed, home.cache / "work") as scratch:
        debs.repository(packages, tree.suite, scratch / "debs")
        (scratch / "locked").write_text("".join(sorted(_line(deb) for deb in packages)))
        (scratch / "roots").write_text("\n".join(sorted(tree.roots)))
        (scratch / "tmp").mkdir(mode=0o1777)
        epoch = max(deb.built for deb in packages)
        with (
            timing.step("mmdebstrap"),
            watching(step, lambda: _done(scratch)),
            store.writer() as writer,
        ):
            stream(_argv(packages, tree, base, scratch, epoch), writer.write, log=log)
        return writer.digest


def _done(scratch: Path) -> int:
    """How many packages dpkg has unpacked, plus how many it has configured."""
    dpkg = next(scratch.glob("tmp/mmdebstrap.*/var/lib/dpkg"), scratch)
    configured = (dpkg / "status").read_bytes().count(b"\nStatus: install ok installed\n")
    return sum(1 for _ in dpkg.glob("info/*.list")) + configured


def _argv(
    packages: Sequence[debs.Deb],
    tree: OsTree,
    base: Base,
    scratch: Path,
    epoch: int,
) -> list[str | Path]:
    hook = scratch / "customize.sh"
    hook.write_bytes(resources.files("dsvm.build").joinpath("customize.sh").read_bytes())
    customize = f'sh "{hook}" "$1" "{scratch}/locked" "{scratch}/roots" "{_components(base)}"'
    return [
        *_clean_environment(scratch / "tmp", epoch),
        *_namespace(),
        "mmdebstrap",
        "--mode=root",
        "--variant=essential",
        "--format=tar",
        f"--include={','.join(sorted(deb.package.name for deb in packages))}",
        "--dpkgopt=force-unsafe-io",
        '--aptopt=Apt::Install-Recommends "false"',
        '--aptopt=APT::Sandbox::User "root"',
        f"--customize-hook={customize}",
        tree.suite,
        "-",
        f"deb [trusted=yes] copy:{scratch}/debs ./",
    ]


def _clean_environment(temporary: Path, epoch: int) -> list[str]:
    """Nothing of the builder's environment reaches a package's scripts, least of all a secret.

    `INITRD=No` is Debian's own way to say that the kernel boots without an initramfs.
    """
    path = os.pathsep.join(filter(None, (os.environ.get("PATH"), SYSTEM_PATH)))
    fixed = {
        "PATH": path,
        "TMPDIR": str(temporary),
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "INITRD": "No",
        "SOURCE_DATE_EPOCH": str(epoch),
    }
    settings = [f"{name}={value}" for name, value in fixed.items()]
    return ["env", "-i", *settings, "sh", "-c", 'umask 022 && exec "$@"', "os-tree"]


def _namespace() -> list[str]:
    """A killed builder leaves neither a mount nor a process; packages find no network."""
    mapped = [] if os.getuid() == 0 else ["--map-root-user", "--map-auto"]
    private = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
    return ["setpriv", "--pdeathsig", "KILL", "unshare", *mapped, *private, "--mount-proc"]


def _components(base: Base) -> str:
    found = [component for archive in base.archives for component in archive.components]
    return " ".join(dict.fromkeys(found))


def _line(deb: debs.Deb) -> str:
    return f"{deb.package.name} {deb.package.version}\n"
