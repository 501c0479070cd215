"""What the machine inherits of the host's network: authorities, proxies, package sources.

Every file written is remembered in /var/lib/dsvm/network.json with the digest of its text; what was
there before is kept beside it. When inheriting goes off the originals come back. A file that the
user changed meanwhile is the user's: it is left alone and noted.

Values with credentials (a proxy with a password) are for the login alone: /run/dsvm/login.env and
/run/dsvm/network.env (for services), both 0600, never /etc/environment, which everybody reads.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from dsvm.guest import authorities
from dsvm.guest.credentials import has_credentials
from dsvm.guest.environments import Account
from dsvm.guest.outcome import Outcome
from dsvm.guest.places import LOGIN_ENV, NETWORK_ENV, SEED, VAR
from dsvm.guest.seed import SeedNetwork
from dsvm.guest.system import folder, write

RECORD = VAR / "network.json"
ORIGINALS = VAR / "originals"
ENVIRONMENT = Path("/etc/environment")
RESOLVER = Path("/etc/resolv.conf")
BEGIN, END = "# begin dsvm", "# end dsvm"
# Programs that bring their own list of authorities and are told of the system's by a variable.
TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
# Variables that hold a credential whatever their value looks like (uv's of an index).
SECRET_NAME = re.compile(r"PASSWORD|USERNAME|TOKEN|SECRET", re.IGNORECASE)
PATH = "/opt/dsvm/envs/base/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"


def apply(
    network: SeedNetwork | None,
    login: Account,
    home: Path,
    out: Outcome,
    more: Mapping[str, str] | None = None,
) -> bool:
    """Make the network what the seed says; return whether a variable changed.

    `more` are variables that programs shall have besides.
    """
    _resolver()
    inherited = network or {"certificates": "", "environment": {}, "files": {}}
    authorities.apply(inherited["certificates"])
    _files(inherited["files"], login, home, out)
    variables = {**(more or {}), **inherited["environment"]}
    if inherited["certificates"]:
        variables |= dict.fromkeys(TRUST, str(authorities.BUNDLE))
    return _variables(variables, login)


def _resolver() -> None:
    """Take the name servers that the engine tells in a virtual machine.

    In a container the file is the host's own. A link is somebody's who knows better.
    """
    text = _text(SEED / RESOLVER.name)
    if text is not None and not RESOLVER.is_symlink():
        write(RESOLVER, text)


def _files(files: dict[str, str], login: Account, home: Path, out: Outcome) -> None:
    folder(VAR, mode=0o711)
    record = _record()
    for name in [name for name in record if name not in files]:
        _undo(name, record.pop(name), login, home, out)
        _save(record)
    for name, text in files.items():
        path = _place(name, home)
        if name in record and _text(path) not in (None, text) and _changed(path, record[name]):
            out.notes.append(f"{name} was changed by hand and is left as it is")
            continue
        if name not in record:
            _keep_original(name, path)
        record[name] = _digest(text)
        _save(record)
        _write(path, text, login, home)


def _write(path: Path, text: str, login: Account, home: Path) -> None:
    private = has_credentials(text)
    mine = private or path.is_relative_to(home)
    who = (login.uid, login.gid) if mine else (0, 0)
    write(path, text, mode=0o600 if private else 0o644, uid=who[0], gid=who[1])


def _undo(name: str, digest: str, login: Account, home: Path, out: Outcome) -> None:
    path, original = _place(name, home), _original(name)
    if _changed(path, digest):
        out.notes.append(f"{name} was changed by hand and is left as it is")
    elif original.exists():
        _write(path, original.read_text(), login, home)
    else:
        path.unlink(missing_ok=True)
    original.unlink(missing_ok=True)


def _keep_original(name: str, path: Path) -> None:
    text = _text(path)
    if text is not None:
        folder(ORIGINALS, mode=0o700)
        write(_original(name), text, mode=0o600)


def _variables(variables: dict[str, str], login: Account) -> bool:
    public = {
        name: value
        for name, value in variables.items()
        if not has_credentials(value) and not SECRET_NAME.search(name)
    }
    secret = {name: value for name, value in variables.items() if name not in public}
    kept = _without_block(_text(ENVIRONMENT) or "")
    block = [BEGIN, f'PATH="{PATH}"', *(f'{name}="{value}"' for name, value in public.items()), END]
    write(ENVIRONMENT, kept + "\n".join(block) + "\n")
    write(LOGIN_ENV, _assignments(secret), mode=0o600, uid=login.uid, gid=login.gid)
    return write(NETWORK_ENV, _assignments(variables), mode=0o600)


def _assignments(variables: dict[str, str]) -> str:
    return "".join(f'{name}="{value}"\n' for name, value in variables.items())


def _without_block(text: str) -> str:
    return re.sub(rf"(?ms)^{BEGIN}$.*?^{END}$\n?", "", text)


def _place(name: str, home: Path) -> Path:
    """`~/` is the login's home."""
    return home / name[2:] if name.startswith("~/") else Path(name)


def _original(name: str) -> Path:
    return ORIGINALS / name.strip("~/").replace("/", "%")


def _changed(path: Path, digest: str) -> bool:
    text = _text(path)
    return text is not None and _digest(text) != digest


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _record() -> dict[str, str]:
    text = _text(RECORD)
    return dict(json.loads(text)) if text else {}


def _save(record: dict[str, str]) -> None:
    write(RECORD, json.dumps(record, indent=1) + "\n", mode=0o600)
