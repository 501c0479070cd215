"""People: the login's keys, further users, and the view each of these has of the environments."""

from __future__ import annotations

import grp
import pwd
import time
from collections.abc import Iterable
from pathlib import Path

from dsvm.guest.environments import Account
from dsvm.guest.places import GROUP, KEYS, LOGIN_ENV, VIEWS
from dsvm.guest.seed import Seed, SeedUser
from dsvm.guest.system import GuestError, folder, run, write

PAM = Path("/etc/pam.d/sshd")
NAMESPACES = Path("/etc/security/namespace.d/dsvm.conf")
BEGIN, END = "# begin dsvm", "# end dsvm"
OWN_VIEWS = (
    f"session [success=ignore default=2] pam_succeed_if.so quiet user ingroup {GROUP}",
    "session optional pam_exec.so type=open_session quiet stdout /usr/lib/dsvm/view",
    "session required pam_namespace.so",
)
MARK, SHELL = "dsvm", "/bin/bash"
SHELLS = (SHELL, "/bin/sh", "/usr/bin/bash", "/usr/bin/sh")
END_S = 5.0


def account(name: str) -> Account:
    """The account of that name; raises `GuestError` when there is none."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise GuestError(f"the machine has no account `{name}`") from None
    return Account(name, found.pw_uid, found.pw_gid)


def apply(seed: Seed, errors: list[str]) -> list[Account]:
    """Keys of the login, accounts of the users; who is no longer in the seed cannot log in."""
    folder(KEYS)
    write(KEYS / seed["login"], _lines(seed["authorized_keys"]))
    wanted = {user["name"]: user for user in seed["users"]}
    for name in managed() - wanted.keys():
        _disable(name)
    accounts = []
    for user in wanted.values():
        try:
            accounts.append(_enable(user))
        except GuestError as failed:
            errors.append(f"user {user['name']}: {failed}")
    views(seed, accounts)
    return accounts


def managed() -> set[str]:
    """Names of the accounts that dsvm made."""
    try:
        return set(grp.getgrnam(GROUP).gr_mem)
    except KeyError:
        run("groupadd", "--system", GROUP)
        return set()


def views(seed: Seed, accounts: Iterable[Account]) -> None:
    """Let PAM bind every user's own view over each environment, in that user's sessions."""
    others = [one.name for one in accounts]
    lines = [
        f"{environment['mountpoint']} {VIEWS}/{environment['name']}/ user ~{','.join(others)}"
        for environment in seed["environments"]
        if others
    ]
    write(NAMESPACES, _lines(["# Written by dsvm-guest; see namespace.conf(5).", *lines]))
    block = [
        BEGIN,
        f"session [success=ignore default=1] pam_succeed_if.so quiet user = {seed['login']}",
        f"session optional pam_env.so readenv=1 envfile={LOGIN_ENV}",
        *(OWN_VIEWS if others else []),
        END,
    ]
    text = PAM.read_text()
    write(PAM, _without_block(text) + _lines(block))


def _without_block(text: str) -> str:
    kept, inside = [], False
    for line in text.splitlines():
        if line in (BEGIN, END):
            inside = line == BEGIN
        elif not inside:
            kept.append(line)
    return _lines(kept)


def _enable(user: SeedUser) -> Account:
    name = user["name"]
    theirs = user.get("found", False)
    if name not in managed():
        _create(name, theirs)
    found = pwd.getpwnam(name)
    if found.pw_shell != SHELL and not theirs:
        run("usermod", "--expiredate", "", "--shell", SHELL, name)
    folder(Path(found.pw_dir), mode=0o700, uid=found.pw_uid, gid=found.pw_gid)
    write(KEYS / name, _lines(user["keys"]))
    return Account(name, found.pw_uid, found.pw_gid)


def _create(name: str, theirs: bool) -> None:
    """Make the account; one that was made by a run that was killed is completed."""
    try:
        if pwd.getpwnam(name).pw_gecos != MARK and not theirs:
            raise GuestError("the operating system has an account of that name; choose another")
        run("usermod", "--append", "--groups", GROUP, name)
    except KeyError:
        run(
            *("useradd", "--create-home", "--user-group", "--groups", GROUP, "--comment", MARK),
            *("--shell", SHELL, "--key", "HOME_MODE=0700", name),
        )


def _disable(name: str) -> None:
    """No login any more, by whatever key, and nothing runs on; home and changes stay."""
    (KEYS / name).unlink(missing_ok=True)
    known = {one.pw_name: one for one in pwd.getpwall()}
    if name in known and known[name].pw_shell == SHELL:
        run("usermod", "--expiredate", "1", "--shell", "/usr/sbin/nologin", name)
        _end(name, known[name].pw_uid)


def _end(name: str, uid: int) -> None:
    """End all that runs of a user, by force what has not ended itself in time."""
    deadline = time.monotonic() + END_S
    run("pkill", "--signal", "TERM", "--uid", name, check=False)
    while run("pgrep", "--uid", name, check=False):
        if time.monotonic() > deadline:
            run("pkill", "--signal", "KILL", "--uid", name, check=False)
        time.sleep(0.05)
    run("systemctl", "stop", f"user-{uid}.slice", check=False)
    run("systemctl", "reset-failed", f"user@{uid}.service", check=False)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line.rstrip()}\n" for line in lines)
