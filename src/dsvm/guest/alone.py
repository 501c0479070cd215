"""An exported image that booted by itself: what a host would have told it, it chooses itself, once.

Accounts and their keys are cloud-init's business, which has run before; they become people of the
machine like those of a definition. Tokens are made at the first start and kept.
"""

from __future__ import annotations

import json
import pwd
import secrets
import socket
from pathlib import Path

from dsvm.guest.places import IMAGE
from dsvm.guest.seed import Seed, SeedUser
from dsvm.guest.system import run, write
from dsvm.guest.users import SHELLS

# login.defs(5): people, neither the system's accounts nor `nobody`.
FIRST_UID, LAST_UID = 1000, 60000
UNNAMED = ("", "localhost", "(none)")


def completed(seed: Seed) -> Seed:
    """The seed of an exported image with tokens, and with the people found in the machine."""
    tokens = _tokens({app["name"] for app in seed["apps"]})
    for app in seed["apps"]:
        app["token"] = tokens[app["name"]]
    named = {user["name"] for user in seed["users"]} | {seed["login"]}
    seed["users"] += [
        SeedUser(name=name, keys=[], found=True) for name in sorted(_people() - named)
    ]
    return seed


def identify(seed: Seed, host_key: Path) -> None:
    """A host key where there is none, and a name where nobody gave one."""
    if not host_key.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", host_key)
    if socket.gethostname() in UNNAMED:
        socket.sethostname(seed["name"])


def _tokens(apps: set[str]) -> dict[str, str]:
    try:
        known: dict[str, str] = json.loads(IMAGE.read_text())["tokens"]
    except FileNotFoundError:
        known = {}
    tokens = {**{app: secrets.token_urlsafe(32) for app in sorted(apps - known.keys())}, **known}
    write(IMAGE, json.dumps({"tokens": tokens}, indent=1) + "\n", mode=0o600)
    return tokens


def _people() -> set[str]:
    return {
        one.pw_name
        for one in pwd.getpwall()
        if FIRST_UID <= one.pw_uid < LAST_UID and one.pw_shell in SHELLS
    }
