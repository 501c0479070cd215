"""`dsvm image export`: what a definition describes, as a disk that boots without dsvm."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dsvm import scratch
from dsvm.build.build import build, proven_lock
from dsvm.build.export import image_bytes, write_image
from dsvm.build.model import Image
from dsvm.build.tools_tree import ToolsTree
from dsvm.catalog.compose import Composition, compose
from dsvm.definition.model import Definition
from dsvm.engines.qemu import seed_disk
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.lock import lock_beside, write_lock
from dsvm.lock.model import Lock
from dsvm.machines.seed import image_seed
from dsvm.programs import run
from dsvm.progress import Progress
from dsvm.store import Store, binary_size


@dataclass(frozen=True)
class Exported:
    """`bytes` is what `file` takes, `size` that of the disk in it; `lock` tells all that is in it;
    `left` what of the definition it has not."""

    file: Path
    lock: Path
    bytes: int
    size: int
    left: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """`image export --json`."""
        return {
            "file": str(self.file),
            "lock": str(self.lock),
            "bytes": self.bytes,
            "size": self.size,
            "left": list(self.left),
        }


def export(
    home: Home, definition: Path, target: Path, kind: str, *, progress: Progress
) -> Exported:
    """Write the image of a definition to `target`, whole or not at all, and its lock beside it.

    `kind` is `raw` or `qcow2`. Versions are those of the definition's own lock; what the image has
    besides is locked anew.
    Raises `DsvmError` when something cannot be locked or built, or there is no room.
    """
    meant, composition = compose(definition)
    extra = tuple(composition.base.image_packages)
    composition = replace(composition, packages=(*composition.packages, *extra))
    old = lock_beside(definition)
    lock = proven_lock(composition, home, old=old, progress=progress)
    image = build(lock, composition, home, progress=progress)
    beside = target.with_name(f"{target.name}.lock")
    with Store(home.store).using(), scratch.folder("export", home.cache / "work") as work:
        size = _write(home, meant, composition, lock, image, target, kind, work, progress)
    write_lock(beside, lock)
    left = ("mounts",) if meant.mounts else ()
    return Exported(target, beside, target.stat().st_blocks * 512, size, left)


def _write(
    home: Home,
    definition: Definition,
    composition: Composition,
    lock: Lock,
    image: Image,
    target: Path,
    kind: str,
    work: Path,
    progress: Progress,
) -> int:
    store, log = Store(home.store), home.logs / "export.log"
    seed = work / "seed"
    text = json.dumps(image_seed(definition, composition, lock, image), indent=1) + "\n"
    seed.write_bytes(seed_disk.pack({"seed.json": text.encode()}))
    tools = ToolsTree.of(lock.tools_tree, store, home)
    size = image_bytes(image, seed)
    partial = target.with_name(f".{target.name}.partial")
    raw = partial if kind == "raw" else work / "disk.raw"
    for place in {target.parent, raw.parent}:
        _check_room(place, _content(image, store))
    try:
        with progress.step(f"writing {target.name}", size, "bytes") as step:
            write_image(image, seed, raw, store, tools, work, log, step)
        if kind != "raw":
            with progress.step(f"making {target.name} a {kind}"):
                run(["qemu-img", "convert", "-f", "raw", "-O", kind, raw, partial], log=log)
        partial.replace(target)
    except OSError as fault:
        raise DsvmError(f"{target} cannot be written", cause=fault.strerror) from None
    finally:
        partial.unlink(missing_ok=True)
    return size


def _content(image: Image, store: Store) -> int:
    """Bytes that are written: of the disk only what is no hole."""
    embedded = sum(layer.bytes for layer in image.layers if layer.mountpoint)
    return embedded + store.get(image.digest).stat().st_blocks * 512


def _check_room(place: Path, needed: int) -> None:
    free = shutil.disk_usage(place).free
    if free < needed:
        raise DsvmError(
            f"no room for the image below {place}",
            cause=f"{binary_size(needed)} are needed, {binary_size(free)} are free",
            remedy="`dsvm gc` removes what no machine uses",
        )
