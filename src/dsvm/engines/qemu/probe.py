"""Whether the engine can run a machine here, and by what: found by running one, then kept."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import dsvm
from dsvm.engines.base import Unusable, Usable
from dsvm.engines.qemu import accelerator, firmware
from dsvm.engines.qemu.accelerator import EMULATION, Accelerator
from dsvm.engines.qemu.command import PROGRAM
from dsvm.home import Home
from dsvm.programs import which

PACKAGES = {PROGRAM: "qemu-system-x86", "qemu-img": "qemu-utils", firmware.DEBIAN: firmware.PACKAGE}
PASST = {"passt": "passt"}
LAST_RANK = 30
"""An emulated machine is the last choice of `auto`."""
EMULATED = "emulated: every computation takes 10 to 20 times as long"
OPEN_LOOPBACK = "programs in the machine reach what listens on this host's loopback (10.0.2.2)"


@dataclass(frozen=True)
class Found:
    """What runs virtual CPUs here, and why nothing better does."""

    accelerator: Accelerator
    why_not_better: str | None


def programs() -> dict[str, str]:
    """See `Engine.programs`; passt is for Linux only."""
    return PACKAGES | (PASST if has_passt() else {})


def has_passt() -> bool:
    return platform.system() == "Linux"


def probe(home: Home, *, force: bool = False) -> Usable | Unusable:
    """The answer for `auto` and `doctor`."""
    found = find(home, force=force)
    if isinstance(found, Unusable):
        return found
    notes: tuple[str, ...] = () if has_passt() else (OPEN_LOOPBACK,)
    if found.accelerator is not EMULATION:
        return Usable(notes)
    because = f" ({found.why_not_better})" if found.why_not_better else ""
    return Usable((EMULATED + because, *notes), rank=LAST_RANK)


def find(home: Home, *, force: bool = False) -> Found | Unusable:
    """The best accelerator that has run virtual CPUs on this host.

    Remembered until the kernel, QEMU, the firmware or dsvm changes.
    """
    uefi = firmware.find()
    if refusal := _lacking(uefi is not None):
        return refusal
    assert uefi is not None
    memory = home.cache / "probes" / "qemu.json"
    key = _key(uefi)
    if not force and (known := _remembered(memory, key)):
        return known
    answer = _try(uefi)
    if isinstance(answer, Found):
        memory.parent.mkdir(parents=True, exist_ok=True)
        partial = memory.with_suffix(f".{os.getpid()}.partial")
        kept = {"key": key, "name": answer.accelerator.name, "why": answer.why_not_better}
        partial.write_text(json.dumps(kept), encoding="utf-8")
        partial.replace(memory)
    return answer


def _lacking(has_firmware: bool) -> Unusable | None:
    wanted = programs()
    missing = [name for name in wanted if not name.startswith("/") and which(name) is None]
    if not has_firmware:
        missing.append(firmware.DEBIAN)
    if not missing:
        return None
    packages = " ".join(sorted({wanted[name] for name in missing}))
    as_root = "" if os.geteuid() == 0 else "sudo "
    return Unusable(
        f"not installed: {', '.join(Path(name).name for name in missing)}",
        f"{as_root}apt-get install -y --no-install-recommends {packages}",
    )


def _try(uefi: firmware.Firmware) -> Found | Unusable:
    refusals: list[str] = []
    for one in accelerator.here():
        why = accelerator.refusal(one) or accelerator.fault(which(PROGRAM) or PROGRAM, one, uefi)
        if why is None:
            return Found(one, "; ".join(refusals) or None)
        refusals.append(f"{one.name}: {why}")
    return Unusable("; ".join(refusals))


def _key(uefi: firmware.Firmware) -> str:
    parts = [platform.release(), platform.version(), dsvm.__version__]
    parts += [str(accelerator.refusal(one)) for one in accelerator.here()]
    for file in (Path(which(PROGRAM) or "/"), uefi.code):
        status = file.stat()
        parts.append(f"{file} {status.st_mtime_ns} {status.st_size}")
    parts.append(hashlib.sha256(Path(accelerator.__file__).read_bytes()).hexdigest())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _remembered(memory: Path, key: str) -> Found | None:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        named = {one.name: one for one in accelerator.ALL}
        return Found(named[known["name"]], known["why"]) if known["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
