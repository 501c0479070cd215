"""The module of NVIDIA's driver, compiled for the kernel of the image, as an OS package.

DKMS compiles it as it would on anybody's Debian, in a sandbox of locked packages without network.
The package that comes of it is installed into the OS tree like all others, and holds the set
together there: dpkg knows which kernel and which libraries the module belongs to, apt is told to
leave these at their versions, and a hook refuses what would part them (`dsvm.guest.driver_set`).
"""

from __future__ import annotations

import json
import lzma
import re
from pathlib import Path

from dsvm.build import debs, driver_proof, keys, package_set, work
from dsvm.build.package_set import PackageSet
from dsvm.build.sandbox import PATH, Sandbox
from dsvm.errors import DsvmError
from dsvm.guest.driver_set import PACKAGE, SET
from dsvm.home import Home
from dsvm.lock.driver import NotBuilt, members
from dsvm.lock.model import Lock, LockedDriver, OsPackage, OsTree
from dsvm.programs import ProgramFailed
from dsvm.store import Store

SOURCES = ("driver.py", "driver_proof.py", "sandbox.py", *package_set.SOURCES)
_ROOM = 2 * 1024**3
_BUILD = "/build"
_CONF = "etc/dkms/framework.conf"
_GUARD = "/usr/bin/dsvm-guest"
_HOOK = f"""\
// Keeps the kernel, the driver's module and its libraries together.
DPkg::Pre-Install-Pkgs {{ "{_GUARD} driver-guard"; }};
DPkg::Tools::Options::{_GUARD}::Version "3";
"""
_CONFIGURED = """\
#!/bin/sh
set -e
depmod {kernel}
"""
_REMOVED = """\
#!/bin/sh
set -e
[ ! -d /lib/modules/{kernel} ] || depmod {kernel}
"""


def module_key(lock: Lock, driver: LockedDriver) -> str:
    return keys.key(
        "driver-module",
        kernel=driver.kernel,
        members=members(lock),
        tree=keys.debs(driver.tree.packages),
        source=keys.source_digest(*SOURCES),
    )


def build_module(lock: Lock, driver: LockedDriver, store: Store, home: Home, log: Path) -> str:
    """Compile, prove and pack it; the digest of the package in the store.

    Raises `NotBuilt` when the source does not compile for this kernel, or made no module for it.
    """
    system = PackageSet(driver.tree.packages).unpacked(store, home, log)
    source = next(one for one in driver.tree.packages if one.name == driver.module)
    built = debs.read(source, store.get(source.sha256)).built
    with work.folder(_ROOM, home.cache / "work") as scratch:
        sandbox = _sandbox(system, scratch, built)
        modules = _compiled(sandbox, system, scratch, driver, log)
        _pack(scratch, modules, lock, driver)
        made = f"{_BUILD}/{PACKAGE}.deb"
        pack = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", f"{_BUILD}/package", made]
        sandbox.run(pack, log=log)
        return store.put_file(scratch / f"{PACKAGE}.deb", move=True)


def with_module(tree: OsTree, driver: LockedDriver, digest: str, store: Store) -> OsTree:
    """The machine's OS packages and the one that was made."""
    source = next(one for one in driver.tree.packages if one.name == driver.module)
    made = OsPackage(
        name=PACKAGE,
        version=source.version,
        architecture=source.architecture,
        sha256=digest,
        size=store.get(digest).stat().st_size,
        source="made",
        path=f"{PACKAGE}.deb",
    )
    roots = (*tree.roots, PACKAGE)
    return tree.model_copy(update={"packages": (*tree.packages, made), "roots": roots})


def _sandbox(system: Path, scratch: Path, built: int) -> Sandbox:
    """DKMS signs with a key that it makes by chance, unless it finds nothing to sign with; `awk` is
    what Debian's scripts, which do not run here, would have made; and the headers of a kernel are
    linked from /lib, which is a mount here and no link to /usr/lib, so their `../src` is /src."""
    (scratch / "bin").mkdir()
    (scratch / "bin/awk").symlink_to("/usr/bin/mawk")
    (scratch / "framework.conf").write_text("sign_file=/none\n")
    return Sandbox(
        system,
        read={f"/{_CONF}": scratch / "framework.conf", "/src": system / "usr/src"},
        write={_BUILD: scratch},
        environment={
            "HOME": "/tmp",
            "KBUILD_BUILD_HOST": "dsvm",
            "KBUILD_BUILD_TIMESTAMP": f"@{built}",
            "KBUILD_BUILD_USER": "dsvm",
            "PATH": f"{_BUILD}/bin:{PATH}",
            "SOURCE_DATE_EPOCH": str(built),
        },
    )


def _compiled(
    sandbox: Sandbox, system: Path, scratch: Path, driver: LockedDriver, log: Path
) -> list[Path]:
    name, version = _dkms_names(system, driver)
    options = ["-m", name, "-v", version, "--dkmstree", f"{_BUILD}/dkms"]
    (scratch / "dkms").mkdir()
    try:
        sandbox.run(["dkms", "add", *options], log=log)
        sandbox.run(["dkms", "build", *options, "-k", driver.kernel], log=log)
    except ProgramFailed as failed:
        words = _first_error(scratch / "dkms" / name / version, log)
        if words is None:
            raise  # the compiler said nothing: what failed is no fault of the source
        raise NotBuilt(f"does not compile for {driver.kernel}", cause=words, log=log) from failed
    found = _unpacked(scratch, f"dkms/{name}/{version}/{driver.kernel}/*/module/*.ko*")
    main = [path for path in found if driver_proof.MAIN.fullmatch(path.name)]
    if not main:
        raise NotBuilt(
            f"does not compile for {driver.kernel}", cause="it made no module `nvidia`", log=log
        )
    driver_proof.prove(driver.kernel, main[0].read_bytes(), driver.version)
    return found


def _unpacked(scratch: Path, pattern: str) -> list[Path]:
    """The modules, which DKMS compresses as the kernel's own are, as files that can be read."""
    place = scratch / "modules"
    place.mkdir()
    for made in scratch.glob(pattern):
        content = made.read_bytes()
        if made.suffix == ".xz":
            content = lzma.decompress(content)
        (place / made.name.removesuffix(".xz")).write_bytes(content)
    return sorted(place.glob("*.ko"))


def _dkms_names(system: Path, driver: LockedDriver) -> tuple[str, str]:
    """What the source's dkms.conf says it is called."""
    for conf in sorted((system / "usr/src").glob("*/dkms.conf")):
        said = dict(
            re.findall(r'^(PACKAGE_NAME|PACKAGE_VERSION)="?([^"\s]+)', conf.read_text(), re.M)
        )
        if len(said) == 2:
            return said["PACKAGE_NAME"], said["PACKAGE_VERSION"]
    raise DsvmError(f"`{driver.module}` has no source for DKMS", cause="no dkms.conf in /usr/src")


def _first_error(build: Path, log: Path) -> str | None:
    """The compiler's first word; all of them go to the log."""
    for made in sorted(build.glob("**/make.log")):
        text = made.read_text("utf-8", errors="replace")
        with log.open("a", encoding="utf-8") as file:
            file.write(text)
        if found := re.search(r"(?:[^\s:]*/)?([^\s/:]+:\d+:.*\berror: .*|.*\berror: .*)", text):
            return found[1]
    return None


def _pack(scratch: Path, modules: list[Path], lock: Lock, driver: LockedDriver) -> None:
    """The tree of the package."""
    kernel, held = driver.kernel, members(lock)
    source = next(one for one in driver.tree.packages if one.name == driver.module)
    libraries = {n: v for n, v in held.items() if not n.startswith("linux-image-")}
    needs = [f"linux-image-{kernel} (= {held[f'linux-image-{kernel}']})", "kmod"]
    needs += [f"{name} (= {version})" for name, version in sorted(libraries.items())]
    control = {
        "Package": PACKAGE,
        "Version": source.version,
        "Architecture": source.architecture,
        "Maintainer": "dsvm <dsvm@localhost>",
        "Depends": ", ".join(needs),
        "Provides": f"nvidia-open-kernel-{driver.version}, nvidia-kernel-{driver.version}",
        "Description": f"NVIDIA's driver {driver.version} for the kernel {kernel}",
    }
    pins = [
        f"Package: {n}\nPin: version {v}\nPin-Priority: 1000\n" for n, v in sorted(held.items())
    ]
    about = {
        "kernel": kernel,
        "version": driver.version,
        "cuda": driver.cuda,
        "packages": {**held, PACKAGE: source.version},
    }
    texts = {
        "DEBIAN/control": "".join(f"{name}: {value}\n" for name, value in control.items()),
        "DEBIAN/postinst": _CONFIGURED.format(kernel=kernel),
        "DEBIAN/postrm": _REMOVED.format(kernel=kernel),
        "etc/apt/apt.conf.d/50dsvm-driver": _HOOK,
        "etc/apt/preferences.d/50dsvm-driver": "\n".join(pins),
        str(SET.relative_to("/")): json.dumps(about, indent=1) + "\n",
    }
    texts |= {f"usr/lib/modules/{kernel}/updates/dkms/{one.name}": "" for one in modules}
    root = scratch / "package"
    for name, text in texts.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(0o755 if text.startswith("#!") else 0o644)
    for one in modules:
        (root / f"usr/lib/modules/{kernel}/updates/dkms/{one.name}").write_bytes(one.read_bytes())
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
