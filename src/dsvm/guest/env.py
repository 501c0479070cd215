"""`dsvm-guest env ls | diff | reset | create`."""

from __future__ import annotations

import argparse
import json
import os
import pwd
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dsvm.guest import create, kernels, outcome, overlay, views
from dsvm.guest.apply import locked
from dsvm.guest.diff import Diff, diff
from dsvm.guest.environments import Account
from dsvm.guest.places import KERNELS, LAYERS, TRASH, VIEWS
from dsvm.guest.places import overlay as overlay_of
from dsvm.guest.processes import Process, using
from dsvm.guest.system import GuestError, unmount

ROW = ("name", "python", "mountpoint", "variant", "reason", "error")


def command(what: str, name: str, asked: argparse.Namespace) -> int:
    """Run one of the commands; what it found goes to stdout, as text or JSON."""
    if what == "ls":
        found = ls()
        _show(asked.json, found, [_row(one) for one in found])
    elif what == "diff":
        changes = changed(name)
        _show(asked.json, asdict(changes), changes.lines())
    elif what == "reset":
        _become_root(name, asked.json)
        told = reset(name)
        lines = [f"{name} is in its proven state again"]
        lines += [f"restart to use it: {one.command} (pid {one.pid})" for one in told]
        _show(asked.json, {"name": name, "running": [asdict(one) for one in told]}, lines)
    else:
        made = create.create(name, asked.python)
        _show(asked.json, made, [f"{made['path']}: Python {made['python']}, a kernel in seconds"])
    return 0


def ls() -> list[dict[str, Any]]:
    """The machine's environments and the user's own, each with whether it was changed."""
    found = []
    for one in outcome.environments().values():
        row = {key: one[key] for key in ROW}
        changed_now = bool(one["variant"]) and bool(changed(one["name"]))
        found.append({**row, "own": False, "changed": changed_now})
    places = (KERNELS, _home() / ".local/share/jupyter/kernels")
    for name, spec in {k: v for place in places for k, v in kernels.ours(place).items()}.items():
        about = spec["metadata"]["dsvm"]
        if about["kind"] == "own":
            row = {"name": name, "python": about["python"], "mountpoint": about["environment"]}
            unknown = dict.fromkeys(ROW) | {"reason": ""}
            found.append({**unknown, **row, "own": True, "changed": None})
    return found


def changed(name: str) -> Diff:
    """What the calling user changed in that environment."""
    one = _mounted(name)
    point, who = Path(one["mountpoint"]), _who()
    upper = overlay_of(name, who) / "upper"
    if not upper.exists():
        return Diff()
    # Root (by sudo) is outside the user's session, where the environment is the login's.
    merged = point if who is None or os.geteuid() else VIEWS / name / who
    return diff(LAYERS / one["layer"], upper, merged)


def reset(name: str) -> list[Process]:
    """Throw away what the calling user changed; returns that user's processes still using it.

    The old overlay is detached at once and removed at the next start: what runs keeps working on
    what it has. Needs root; `sudo` tells whose changes are meant.
    """
    one, who = _mounted(name), _who()
    login = _account(who or _login())
    point = Path(one["mountpoint"]) if who is None else VIEWS / name / who
    with locked():
        unmount(point)
        place = overlay_of(name, who)
        if (place / "upper").exists():
            number = len(list(TRASH.iterdir()))
            (place / "upper").rename(TRASH / f"{name}-{number}-{os.getpid()}")
        layer = LAYERS / one["layer"]
        overlay.mount(layer, place, point, uid=login.uid, gid=login.gid)
        if who is not None:
            views.rebind(point, Path(one["mountpoint"]), overlay.tag(place), login.uid)
    return using(Path(one["mountpoint"]), uid=login.uid)


def _become_root(name: str, as_json: bool) -> None:
    """Start again by sudo, which everybody may for exactly this."""
    words = ["env", "reset", *(["--json"] if as_json else []), name]
    if os.geteuid() != 0:
        os.execv("/usr/bin/sudo", ["sudo", "-n", "/usr/bin/dsvm-guest", *words])
    views.must_be_root(words)


def _mounted(name: str) -> dict[str, Any]:
    known = outcome.environments()
    if name not in known:
        raise GuestError(f"no environment `{name}`; there are {', '.join(sorted(known))}")
    if not known[name]["variant"]:
        raise GuestError(f"environment `{name}` is not mounted: {known[name]['error']}")
    return known[name]


def _who() -> str | None:
    """The user whose changes are meant; None is the machine's login (and root itself)."""
    name = pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        name = os.environ.get("SUDO_USER", _login())
    return None if name in (_login(), "root") else name


def _login() -> str:
    return str(outcome.state()["login"])


def _account(name: str) -> Account:
    found = pwd.getpwnam(name)
    return Account(name, found.pw_uid, found.pw_gid)


def _home() -> Path:
    return Path(pwd.getpwnam(_who() or _login()).pw_dir)


def _row(one: dict[str, Any]) -> str:
    kind = "own" if one["own"] else one["variant"] or "FAILED"
    kind += f" ({one['reason']})" if one["reason"] else ""
    mark = " (changed by you)" if one["changed"] else ""
    return f"{one['name']}  Python {one['python']}  {kind}  {one['mountpoint']}{mark}"


def _show(as_json: bool, data: object, lines: list[str]) -> None:
    if as_json:
        print(json.dumps(data, indent=1))
    elif lines:
        print("\n".join(lines))
