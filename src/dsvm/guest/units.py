"""Services and web apps of the tools: their secrets, their units, started when they changed."""

from __future__ import annotations

from collections.abc import Iterable

from dsvm.guest.environments import Account
from dsvm.guest.outcome import Outcome
from dsvm.guest.places import APPS, NETWORK_ENV, UNITS
from dsvm.guest.seed import Seed, SeedUnit
from dsvm.guest.system import GuestError, folder, run, write

MARK = "# of dsvm's seed\n"
DROP_IN = f"[Service]\nEnvironmentFile=-{NETWORK_ENV}\n"


def apply(seed: Seed, login: Account, moved: set[str], network: bool, out: Outcome) -> None:
    """Write app secrets and units; (re)start the enabled ones whose text, secret or ground changed.

    `moved` are mountpoints that show another layer than before; `network`: its variables changed.
    """
    secrets = _secrets(seed, login)
    stale = _remove_stale({unit["name"] for unit in seed["units"]})
    changed = {unit["name"] for unit in seed["units"] if _write(unit)}
    if stale or changed:
        run("systemctl", "daemon-reload")
    for unit in seed["units"]:
        again = unit["name"] in changed | secrets or network or _stands_on(unit, moved)
        _start(unit, again, out)
    out.apps = {app["name"]: app["port"] for app in seed["apps"]}
    out.units = [unit["name"] for unit in seed["units"]]


def _secrets(seed: Seed, login: Account) -> set[str]:
    """/run/dsvm/apps/<app>.env; returns the units whose secret is another one now."""
    folder(APPS, mode=0o711)
    changed = set()
    for app in seed["apps"]:
        text = f"DSVM_TOKEN={app['token']}\nDSVM_PORT={app['port']}\n"
        file = APPS / f"{app['name']}.env"
        if write(file, text, mode=0o600, uid=login.uid, gid=login.gid):
            changed.add(f"{app['name']}.service")
    for file in APPS.glob("*.env"):
        if file.stem not in {app["name"] for app in seed["apps"]}:
            file.unlink()
    return changed


def _write(unit: SeedUnit) -> bool:
    text = write(UNITS / unit["name"], MARK + unit["text"])
    if not unit["name"].endswith(".service"):
        return text
    return write(UNITS / f"{unit['name']}.d" / "dsvm.conf", DROP_IN) or text


def _remove_stale(wanted: Iterable[str]) -> list[str]:
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
        drop_in = UNITS / f"{name}.d" / "dsvm.conf"
        if drop_in.exists():
            drop_in.unlink()
            drop_in.parent.rmdir()
    return stale


def _start(unit: SeedUnit, again: bool, out: Outcome) -> None:
    """Queue the start; nobody waits for it, a boot least of all."""
    try:
        # One that failed too often while its packages came would not be started again.
        run("systemctl", "reset-failed", unit["name"], check=False)
        if unit["enable"]:
            run("systemctl", "--no-block", "restart" if again else "start", unit["name"])
        elif again:
            run("systemctl", "--no-block", "try-restart", unit["name"])
    except GuestError as failed:
        out.errors.append(f"service {unit['name']}: {failed}")


def _stands_on(unit: SeedUnit, moved: set[str]) -> bool:
    return any(f"{point}/" in unit["text"] for point in moved)
