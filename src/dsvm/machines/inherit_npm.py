"""npm's part of what a machine inherits: registries, proxies, tokens (docs.npmjs.com: npmrc)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dsvm.guest.credentials import has_credentials
from dsvm.machines.hostonly import is_host_only

if TYPE_CHECKING:
    from dsvm.machines.inherit import Inherited

SYSTEM_FILE, LOGIN_FILE = "/etc/npmrc", "~/.npmrc"
HEAD = "; Inherited from the host by dsvm ([network] inherit); written anew at each start.\n"
VARIABLE = "NPM_CONFIG_REGISTRY"
_ADDRESS = re.compile(r"^(?:registry|@[^:]+:registry|proxy|https-proxy)$")
_KEPT = re.compile(r"^(?:noproxy|strict-ssl|fetch-timeout|//.+:(?:_\w+|username|email))$")
_REFERENCE = re.compile(r"\$\{([^}?]+)\??\}")


def collect(sources: Mapping[str, str], environment: Mapping[str, str], found: Inherited) -> None:
    """Add npm's settings to what is inherited; secrets in a file of the login's."""
    settings = _settings(environment)
    if "npm" in sources:
        settings["registry"] = sources["npm"]
    if "cafile" in settings:
        found.bundles.append(Path(settings["cafile"]))
    kept = {key: value for key, value in settings.items() if _is_kept(key, value, found)}
    public = {key: value for key, value in kept.items() if not _is_secret(key, value)}
    if public:
        found.files[SYSTEM_FILE] = _text(public)
    if secret := {key: value for key, value in kept.items() if key not in public}:
        found.files[LOGIN_FILE] = _text(secret)
    # An npm that is not the distribution's reads no /etc/npmrc.
    if "registry" in public:
        found.environment[VARIABLE] = public["registry"]


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    """From the weakest to the strongest: the global file, the user's, variables."""
    settings: dict[str, str] = {}
    user = environment.get("NPM_CONFIG_USERCONFIG") or str(Path.home() / ".npmrc")
    for file in ("/usr/etc/npmrc", "/usr/local/etc/npmrc", SYSTEM_FILE, user):
        settings |= _read(Path(file), environment)
    for name, value in environment.items():
        if name.lower().startswith("npm_config_") and value:
            settings[name[11:].lower().replace("_", "-")] = value
    return settings


def _read(file: Path, environment: Mapping[str, str]) -> dict[str, str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            value = _REFERENCE.sub(lambda match: environment.get(match[1], ""), value)
            found[key.strip()] = value.strip().strip('"')
    return found


def _is_kept(key: str, value: str, found: Inherited) -> bool:
    if _ADDRESS.match(key):
        if is_host_only(value):
            found.leave_out(f"npm {key}", value)
            return False
        return True
    return bool(_KEPT.match(key))


def _is_secret(key: str, value: str) -> bool:
    return key.startswith("//") or has_credentials(f"{key}={value}")


def _text(settings: Mapping[str, str]) -> str:
    return HEAD + "".join(f"{key}={value}\n" for key, value in settings.items())
