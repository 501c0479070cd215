"""Where this host gets Python packages from, as an environment for uv.

First `[sources] pypi`, then uv's own configuration, which uv reads itself, then pip's, which uv
does not read. What is found is passed by environment variables, never by arguments: an address
may hold credentials, and arguments are kept in logs.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

_UV_SAYS = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


@dataclass(frozen=True)
class PythonHost:
    """`find_links` are the host's folders or pages of wheels; `env` is all the rest, for uv."""

    find_links: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def uv_env(self, *, find_links: bool) -> dict[str, str]:
        """What to add to uv's environment."""
        env = dict(self.env)
        if self.find_links and find_links:
            env["UV_FIND_LINKS"] = ",".join(self.find_links)
        return env


def python_host(sources: Mapping[str, str]) -> PythonHost:
    """Read the host's configuration; `sources` is `[sources]` of the definition."""
    host = _host(sources)
    if "find-links" in sources:
        return PythonHost((sources["find-links"],), host.env)
    return host


def _host(sources: Mapping[str, str]) -> PythonHost:
    if "pypi" in sources:
        return PythonHost(env={"UV_DEFAULT_INDEX": sources["pypi"]})
    if any(os.environ.get(name) for name in _UV_SAYS) or _uv_file_names_an_index():
        listed = os.environ.get("UV_FIND_LINKS", "")
        return PythonHost(tuple(part for part in listed.split(",") if part))
    return _of_pip(pip_settings())


def _of_pip(pip: Mapping[str, str]) -> PythonHost:
    env = {}
    if index := pip.get("index-url"):
        env["UV_DEFAULT_INDEX"] = index
    if extra := pip.get("extra-index-url"):
        env["UV_INDEX"] = " ".join(extra.split())
        # pip takes the best version of all indexes together; uv's own rule, the first index that
        # has the name, would find only what these (often partial) indexes have. It is as safe as
        # the host's own pip: who configured these indexes trusts them for every name. What was
        # taken is in the lock by its sha256, and nothing else is ever installed.
        env["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if hosts := pip.get("trusted-host"):
        env["UV_INSECURE_HOST"] = " ".join(hosts.split())
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        env["UV_NO_INDEX"] = "1"
    for name, setting in (("SSL_CERT_FILE", "cert"), ("ALL_PROXY", "proxy")):
        if setting in pip and not os.environ.get(name):
            env[name] = pip[setting]
    return PythonHost(tuple(_words(pip.get("find-links", ""))), env)


def _words(text: str) -> list[str]:
    return [str(Path(word).expanduser()) if "://" not in word else word for word in text.split()]


def pip_settings() -> dict[str, str]:
    """pip's settings: files from the weakest to the strongest, then `PIP_*`.

    The order and places are those of https://pip.pypa.io/en/stable/topics/configuration/.
    """
    settings: dict[str, str] = {}
    if os.environ.get("PIP_CONFIG_FILE") != os.devnull:
        for file in _pip_files():
            parser = configparser.RawConfigParser()
            try:
                parser.read(file, "utf-8")
            except (configparser.Error, OSError, UnicodeDecodeError):
                continue  # pip refuses such a file; it says nothing we could use
            for section in ("global", "install"):
                if parser.has_section(section):
                    settings |= {key.replace("_", "-"): v for key, v in parser.items(section)}
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            settings[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return settings


def _pip_files() -> list[Path]:
    system = platformdirs.site_config_path("pip", multipath=False) / "pip.conf"
    user = (Path.home() / ".pip" / "pip.conf", platformdirs.user_config_path("pip") / "pip.conf")
    named = os.environ.get("PIP_CONFIG_FILE")
    files = [system, Path("/etc/pip.conf"), *user, Path(sys.prefix) / "pip.conf"]
    return [*files, Path(named)] if named else files


def _uv_file_names_an_index() -> bool:
    """Does the user's or the system's `uv.toml` say where packages come from?"""
    files = (platformdirs.user_config_path("uv") / "uv.toml", Path("/etc/uv/uv.toml"))
    words = ("index", "find-links")
    for file in files:
        try:
            lines = file.read_text("utf-8").splitlines()
        except OSError:
            continue
        if any(word in line for line in lines for word in words):
            return True
    return False
