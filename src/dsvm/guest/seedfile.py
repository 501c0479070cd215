"""Reads the seed: from the folder the engine shows, else from a disk with a name of its own."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import cast

from dsvm.guest.layers import device_with_serial
from dsvm.guest.places import SEED
from dsvm.guest.seed import Seed
from dsvm.guest.system import GuestError, folder, run

VERSION = 1
DISK_SERIAL = "dsvm-seed"
WAIT_S = 20.0
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


def load(place: Path = SEED, *, wait_s: float = WAIT_S) -> Seed:
    """The seed; raises `GuestError` when there is none or it is none this code understands."""
    deadline = time.monotonic() + wait_s
    while not (place / "seed.json").exists():
        if disk := device_with_serial(DISK_SERIAL):
            run("mount", "-o", "ro,nodev,nosuid,noexec", disk, folder(place, mode=0o700))
        elif time.monotonic() > deadline:
            raise GuestError(f"no seed: neither {place}/seed.json nor a disk `{DISK_SERIAL}`")
        else:
            time.sleep(0.05)
    return parse((place / "seed.json").read_text())


def parse(text: str) -> Seed:
    """Check the few things that everything else relies on."""
    try:
        seed = json.loads(text)
    except ValueError as broken:
        raise GuestError(f"the seed is not JSON: {broken}") from None
    if not isinstance(seed, dict) or seed.get("version") != VERSION:
        raise GuestError(f"the seed is not of version {VERSION}; image and host do not fit")
    if missing := sorted(set(Seed.__annotations__) - set(seed)):
        raise GuestError(f"the seed lacks {', '.join(missing)}")
    for group in ("environments", "kernels", "apps", "users"):
        for one in seed[group]:
            if not NAME.fullmatch(one["name"].lower()):
                raise GuestError(f"the seed has a name that cannot be used: {one['name']!r}")
    return cast(Seed, seed)
