"""pip's and uv's part of what a machine inherits: indexes, trust, time limits.

pip does not read uv's configuration, nor uv pip's: what only one of them says is told to both, so
that either finds packages inside as pip does on the host. Values with credentials travel as
variables (for the login alone), all others as /etc/pip.conf and /etc/uv/uv.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import tomlkit

from dsvm.guest.credentials import has_credentials
from dsvm.lock.pythonhost import pip_settings
from dsvm.machines.hostonly import is_host_only

if TYPE_CHECKING:
    from dsvm.machines.inherit import Inherited

PIP_FILE, UV_FILE = "/etc/pip.conf", "/etc/uv/uv.toml"
HEAD = "# Inherited from the host by dsvm ([network] inherit); written anew at each start.\n"
ADDRESSES = ("index-url", "extra-index-url", "find-links", "proxy")
PLAIN = (
    *("trusted-host", "timeout", "default-timeout", "retries", "prefer-binary", "only-binary"),
    *("no-binary", "pre", "disable-pip-version-check"),
)
UV_KEPT = ("allow-insecure-host", "index-strategy", "native-tls", "system-certs", "prerelease")
UV_ADDRESSES = ("index-url", "extra-index-url", "find-links")
# uv's name for what pip calls so.
UV_OF_PIP = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX"}
UV_VARIABLES = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    *("UV_INSECURE_HOST", "UV_INDEX_STRATEGY", "UV_NATIVE_TLS", "UV_HTTP_TIMEOUT"),
)


def collect(sources: Mapping[str, str], environment: Mapping[str, str], found: Inherited) -> None:
    """Add pip's and uv's settings to what is inherited."""
    pip = dict(pip_settings())
    if cert := pip.get("cert"):
        found.bundles.append(Path(cert))
    if "pypi" in sources:
        pip = {**pip, "index-url": sources["pypi"], "extra-index-url": ""}
    kept = _kept(pip, found)
    _pip(kept, found)
    has_uv = _uv_variables(environment, found) | _uv_file(found)
    if "pypi" in sources or not has_uv:
        _uv_of_pip(kept, found)


def _kept(pip: Mapping[str, str], found: Inherited) -> dict[str, str]:
    kept = {key: pip[key] for key in PLAIN if pip.get(key)}
    for key in ADDRESSES:
        words = []
        for word in pip.get(key, "").split():
            if is_host_only(word):
                found.leave_out(f"pip {key}", word)
            else:
                words.append(word)
        if words:
            kept[key] = " ".join(words)
    return kept


def _pip(kept: Mapping[str, str], found: Inherited) -> None:
    """Every value goes into the file, but one with a password into a variable."""
    lines = []
    for key, value in kept.items():
        if has_credentials(value):
            found.environment["PIP_" + key.replace("-", "_").upper()] = value
        else:
            lines.append(f"{key} = {value}\n")
    notes = [f"# not inherited: {one}\n" for one in found.left_out if one.startswith("pip ")]
    if lines or notes:
        found.files[PIP_FILE] = HEAD + "".join(notes) + "[global]\n" + "".join(lines)


def _uv_of_pip(kept: Mapping[str, str], found: Inherited) -> None:
    for key, name in UV_OF_PIP.items():
        if key in kept:
            found.environment[name] = kept[key]
    if "extra-index-url" in kept:
        # As pip does: the best version of all indexes together.
        found.environment["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "find-links" in kept:
        found.environment["UV_FIND_LINKS"] = ",".join(kept["find-links"].split())
    if "trusted-host" in kept:
        found.environment["UV_INSECURE_HOST"] = kept["trusted-host"]


def _uv_variables(environment: Mapping[str, str], found: Inherited) -> bool:
    """Variables of uv; those of an index's credentials follow its name."""
    names_an_index = False
    for name, value in environment.items():
        credentials = name.startswith("UV_INDEX_") and name.endswith(("_USERNAME", "_PASSWORD"))
        if not value or (name not in UV_VARIABLES and not credentials):
            continue
        separator = "," if name == "UV_FIND_LINKS" else " "
        is_address = name in UV_VARIABLES[:5]
        words = [word for word in value.split(separator) if word]
        good = [word for word in words if not is_address or not is_host_only(_address(word))]
        for word in words:
            if word not in good:
                found.leave_out(f"uv {name}", word)
        if good:
            found.environment[name] = separator.join(good)
            names_an_index |= is_address
    return names_an_index


def _uv_file(found: Inherited) -> bool:
    """The settings of uv.toml that say where packages come from; whether there are any."""
    kept: dict[str, Any] = {}
    for file in (Path("/etc/uv/uv.toml"), platformdirs.user_config_path("uv") / "uv.toml"):
        kept |= _uv_settings(file, found)
    if not kept:
        return False
    text = HEAD + tomlkit.dumps(kept)
    found.files["~/.config/uv/uv.toml" if has_credentials(text) else UV_FILE] = text
    return bool({"index", *UV_ADDRESSES} & kept.keys())


def _uv_settings(file: Path, found: Inherited) -> dict[str, Any]:
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        return {}
    kept = {key: settings[key] for key in UV_KEPT if key in settings}
    for key in UV_ADDRESSES:
        values = settings.get(key, [])
        good = [
            one for one in ([values] if isinstance(values, str) else values) if _good(one, found)
        ]
        if good:
            kept[key] = good[0] if isinstance(values, str) else good
    indexes = [one for one in settings.get("index", []) if _good(one.get("url", ""), found)]
    return {**kept, "index": indexes} if indexes else kept


def _good(address: str, found: Inherited) -> bool:
    if is_host_only(address):
        found.leave_out("uv index", address)
        return False
    return True


def _address(word: str) -> str:
    """`UV_INDEX` may name an index: `lab=https://...`."""
    name, equals, rest = word.partition("=")
    return rest if equals and "/" not in name else word
