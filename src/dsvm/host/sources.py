"""Whether the package sources that this host is configured for are reached, and how fast.

Each is asked through the program that will use it, with the host's own configuration: proxies,
certificates, mirrors and indexes are theirs to know.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dsvm import scratch
from dsvm.host.finding import Finding
from dsvm.host.index import ask_index
from dsvm.lock.mirrors import without_credentials
from dsvm.programs import ProgramFailed, run

TIMEOUT_S = 30
APT_HELPER = "/usr/lib/apt/apt-helper"
TARGETS = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]
DEFAULT_SOURCE = "none configured: the default of mmdebstrap serves"


def apt() -> list[Finding]:
    """One line for each mirror in apt's configuration."""
    if not Path(APT_HELPER).exists():
        return [Finding("apt", None, DEFAULT_SOURCE, group="sources")]
    mirrors: dict[str, str] = {}
    for line in run(TARGETS, check=False).stdout.splitlines():
        uri, _, release = line.partition(" ")
        mirrors.setdefault(uri, release)
    if not mirrors:
        return [Finding("apt", None, DEFAULT_SOURCE, group="sources")]
    return [_mirror(uri, release) for uri, release in mirrors.items()]


def python() -> list[Finding]:
    remedy = "see `pip config list`: its index, proxy and cert are what dsvm uses"
    return [_timed("Python index", remedy, ask_index)]


def npm() -> list[Finding]:
    if shutil.which("npm") is None:
        text = "npm is not on this host; only tools that come from npm need it"
        return [Finding("npm", None, text, group="sources")]
    remedy = "see `npm config list`: its registry, proxy and cafile are what dsvm uses"
    ping = ["npm", "ping"]
    return [_timed("npm registry", remedy, lambda: _done(ping, "answers"))]


ALL: tuple[Callable[[], list[Finding]], ...] = (apt, python, npm)


def _mirror(uri: str, release: str) -> Finding:
    remedy = "see apt's sources (apt-get update says more); [sources] in dsvm.toml names another"

    def ask() -> str:
        with scratch.folder("apt") as folder:
            target = folder / "InRelease"
            address = f"{uri}dists/{release}/InRelease"
            return _done([APT_HELPER, "download-file", address, target], f"{release} answers")

    return _timed(f"apt {without_credentials(uri)}", remedy, ask)


def _done(argv: Sequence[str | Path], text: str) -> str:
    run(argv, timeout_s=TIMEOUT_S)
    return text


def _timed(name: str, remedy: str, ask: Callable[[], str]) -> Finding:
    began = time.monotonic()
    try:
        text = ask()
    except ProgramFailed as failed:
        took = time.monotonic() - began
        why = (failed.cause or failed.what).strip().splitlines()[-1]
        return Finding(
            name, False, f"not reached: {why}", remedy=remedy, seconds=took, group="sources"
        )
    return Finding(name, True, text, seconds=time.monotonic() - began, group="sources")
