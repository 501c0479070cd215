"""Services and web apps of the tools: their secrets, their units, started when they changed."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from dsvm.guest import os_units
from dsvm.guest.environments import Account
from dsvm.guest.outcome import Outcome
from dsvm.guest.places import APPS, DOORS, NETWORK_ENV, UNITS
from dsvm.guest.seed import Seed, SeedUnit
from dsvm.guest.system import GuestError, folder, run, write

MARK = "# of dsvm's seed\n"
OF_OTHERS = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"))
DROP_IN = "dsvm.conf"
NETWORK = f"[Service]\nEnvironmentFile=-{NETWORK_ENV}\n"
IDLE = "[Unit]\nStopWhenUnneeded=yes\n"


def apply(seed: Seed, login: Account, moved: set[str], network: bool, out: Outcome) -> None:
    """Write app secrets and units; (re)start the enabled ones whose text, secret or ground changed.

    `moved` are mountpoints that show another layer than before, and configuration files that were
    written anew; `network`: its variables changed.
    """
    secrets = _secrets(seed, login)
    stale = _remove_stale({unit["name"] for unit in seed["units"]})
    new = {unit["name"] for unit in seed["units"] if _is_new(unit)}
    changed = {unit["name"] for unit in seed["units"] if _write(unit)}
    of_os = [unit["name"] for unit in seed["units"] if unit.get("of_os") and not unit["enable"]]
    if os_units.keep_from_boot(of_os) or stale or changed - new:
        run("systemctl", "daemon-reload")
    again = {
        unit["name"]
        for unit in seed["units"]
        if unit["name"] in changed | secrets or network or stands_on(unit, moved)
    }
    _start(seed["units"], again, new, out)
    out.apps = {app["name"]: app["port"] for app in seed["apps"]}
    out.units = [unit["name"] for unit in seed["units"]]


def _secrets(seed: Seed, login: Account) -> set[str]:
    """/run/dsvm/apps/<app>.env; returns the units whose secret is another one now."""
    folder(APPS, mode=0o711)
    folder(DOORS, mode=0o700, uid=login.uid, gid=login.gid)
    changed = set()
    for app in seed["apps"]:
        text = f"DSVM_TOKEN={app['token']}\nDSVM_PORT={app['port']}\n"
        if "backend" in app:
            text += f"DSVM_BACKEND_PORT={app['backend']}\n"
        file = APPS / f"{app['name']}.env"
        if write(file, text, mode=0o600, uid=login.uid, gid=login.gid):
            changed |= {f"{app['name']}.service", f"{app['name']}-gate.service"}
    for file in APPS.glob("*.env"):
        if file.stem not in {app["name"] for app in seed["apps"]}:
            file.unlink()
    return changed


def _is_new(unit: SeedUnit) -> bool:
    """Whether systemd knows no unit of that name yet: then it reads the files when it starts it,
    without a reload, which is slow and which every boot would begin with."""
    places = [folder / unit["name"] for folder in (UNITS, *OF_OTHERS)]
    return not unit.get("of_os") and not any(place.exists() for place in places)


def _write(unit: SeedUnit) -> bool:
    of_os = unit.get("of_os", False)
    text = not of_os and write(UNITS / unit["name"], MARK + unit["text"])
    parts = [] if of_os or not unit["name"].endswith(".service") else [NETWORK]
    parts += [IDLE] if unit.get("idle") else []
    return _write_drop_in(UNITS / f"{unit['name']}.d" / DROP_IN, "".join(parts)) or text


def _write_drop_in(file: Path, text: str) -> bool:
    if text:
        return write(file, text)
    if not file.exists():
        return False
    _remove_drop_in(file)
    return True


def _remove_drop_in(file: Path) -> None:
    file.unlink()
    with suppress(OSError):  # a person may have put something beside it
        file.parent.rmdir()


def _remove_stale(wanted: Collection[str]) -> list[str]:
    stale = [
        file.name
        for file in UNITS.glob("*.*")
        if file.is_file() and file.name not in wanted and file.read_text().startswith(MARK)
    ]
    for name in stale:
        run("systemctl", "stop", name, check=False)
        # One that had failed would stay known as failed for as long as the machine runs.
        run("systemctl", "reset-failed", name, check=False)
        (UNITS / name).unlink()
    for file in UNITS.glob(f"*.d/{DROP_IN}"):
        name = file.parent.name.removesuffix(".d")
        if name not in wanted:
            _remove_drop_in(file)
            stale.append(name)
    return stale


def _start(
    units: Sequence[SeedUnit], again: Collection[str], new: Collection[str], out: Outcome
) -> None:
    """Queue the starts; nobody waits for them, a boot least of all. One command for all of a kind:
    each takes as long as a unit does to start."""
    away = os_units.away([unit["name"] for unit in units if unit.get("of_os")])
    there = [unit for unit in units if unit["name"] not in away]
    if known := [unit["name"] for unit in there if unit["name"] not in new]:
        # One that failed too often while its packages came would not be started again.
        run("systemctl", "reset-failed", *known, check=False)
    verbs: dict[str, list[str]] = {"start": [], "restart": [], "try-restart": []}
    for unit in there:
        name = unit["name"]
        anew = name in again and name not in new
        if anew and name.endswith(".socket"):
            # It is not opened again while what it started runs.
            try:
                run("systemctl", "stop", name, f"{name.removesuffix('.socket')}.service")
            except GuestError as failed:
                out.errors.append(f"service {name}: {failed}")
                continue
            anew = False
        if unit["enable"]:
            verbs["restart" if anew else "start"].append(name)
        elif anew:
            verbs["try-restart"].append(name)
    for verb, names in verbs.items():
        # What a person waits for comes before doors that nobody has knocked at.
        _queue(verb, sorted(names, key=lambda name: name.endswith(".socket")), out)


def _queue(verb: str, names: Sequence[str], out: Outcome) -> None:
    """One that is refused does not keep the others back, and is told by its name."""
    if not names:
        return
    try:
        run("systemctl", "--no-block", verb, *names)
    except GuestError as failed:
        if len(names) == 1:
            out.errors.append(f"service {names[0]}: {failed}")
            return
        for name in names:
            _queue(verb, [name], out)


def stands_on(unit: SeedUnit, moved: set[str]) -> bool:
    """Whether its text names one of these files, or something in one of these folders."""
    return any(re.search(rf"{re.escape(place)}[/\s]", unit["text"]) for place in moved)
