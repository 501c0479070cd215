"""Units of OS packages that start at their first use: Debian would start them at every boot."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from dsvm.guest.places import OS_UNITS
from dsvm.guest.system import run, write


def keep_from_boot(names: Collection[str]) -> bool:
    """Disable these units and stop them, each once: what a person enables afterwards stays so.

    Units that were disabled here and are no longer named are as their package has them again.
    Returns whether any of them changed.
    """
    known: list[str] = json.loads(OS_UNITS.read_text()) if OS_UNITS.exists() else []
    new = [name for name in names if name not in known and _enabled(name)]
    gone = [name for name in known if name not in names]
    for name in new:
        run("systemctl", "disable", "--no-reload", name)
        # At boot it may be about to start: that is called off.
        run("systemctl", "--no-block", "stop", name)
    for name in gone:
        run("systemctl", "enable", "--no-reload", name, check=False)
    if new or gone:
        OS_UNITS.parent.mkdir(parents=True, exist_ok=True)
        write(OS_UNITS, json.dumps([*(n for n in known if n not in gone), *new]) + "\n")
    return bool(new or gone)


def away(names: Sequence[str]) -> set[str]:
    """Those whose package is still to come; then all of this is done again."""
    if not names:
        return set()
    states = run("systemctl", "show", "-P", "LoadState", *names).split()
    return {name for name, state in zip(names, states, strict=True) if state == "not-found"}


def _enabled(name: str) -> bool:
    """Also false when its package is still to come."""
    return run("systemctl", "is-enabled", name, check=False).strip() == "enabled"
