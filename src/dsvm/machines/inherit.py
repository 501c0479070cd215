"""What a machine inherits of its host's network: authorities, proxies, package sources.

It enters a machine at its start, by the seed, and is in no layer, image, lock or key. Credentials
go along to the machine's login only (dsvm.guest.network); `shown` is for logs. What means something
only on this host (a folder of wheels, a proxy on the loopback) is left out and named in `left_out`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dsvm.catalog.model import Base
from dsvm.guest.credentials import redacted
from dsvm.guest.seed import SeedNetwork
from dsvm.machines import authorities, inherit_apt, inherit_npm, inherit_python
from dsvm.machines.hostonly import is_host_only

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")
NO_PROXY = "no_proxy"
OWN_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass
class Inherited:
    """Collected for one machine. `bundles` are files with certificates that settings name."""

    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    bundles: list[Path] = field(default_factory=list)

    def leave_out(self, what: str, value: str) -> None:
        self.left_out.append(f"{what} = {redacted(value)}: it is only on the host")


def network(base: Base, sources: Mapping[str, str]) -> SeedNetwork:
    """Everything, as the seed has it; `sources` is `[sources]` of the definition."""
    found = collect(base, sources)
    return SeedNetwork(
        certificates=authorities.added(bundles=found.bundles),
        environment=found.environment,
        files=found.files,
    )


def collect(
    base: Base, sources: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> Inherited:
    """Variables and files; not the authorities."""
    found = Inherited()
    _proxies(environment, found)
    inherit_apt.collect(base, sources, found)
    inherit_python.collect(sources, environment, found)
    inherit_npm.collect(sources, environment, found)
    return found


def shown(network: SeedNetwork) -> dict[str, str]:
    """Variables and files as a log may have them: without credentials."""
    return {
        name: redacted(text) for name, text in (network["environment"] | network["files"]).items()
    }


def _proxies(environment: Mapping[str, str], found: Inherited) -> None:
    """Programs differ in which case they read; curl ignores HTTP_PROXY, others the lower one."""
    proxies = {}
    for name in PROXIES:
        value = environment.get(name) or environment.get(name.upper())
        if not value:
            continue
        if is_host_only(value):
            found.leave_out(name, value)
        else:
            proxies[name] = value
    if not proxies:
        return
    named = environment.get(NO_PROXY) or environment.get(NO_PROXY.upper()) or ""
    names = [name.strip() for name in named.split(",") if name.strip()]
    proxies[NO_PROXY] = ",".join(dict.fromkeys([*names, *OWN_NAMES]))
    found.environment |= proxies | {name.upper(): value for name, value in proxies.items()}
