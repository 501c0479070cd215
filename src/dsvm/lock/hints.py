"""Where files were last seen: addresses by sha256, in the cache, never in the lock.

cache/urls/<2 hex>.json     {sha256: address}; 0600, since an address may hold credentials
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from filelock import FileLock

from dsvm.home import Home


class Hints:
    """Addresses by digest. `add` remembers in memory, `save` on disk; both are safe in threads."""

    def __init__(self, home: Home) -> None:
        self._folder = home.cache / "urls"
        self._new: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, sha256: str, url: str) -> None:
        with self._lock:
            self._new[sha256] = url

    def get(self, sha256: str) -> str | None:
        return self._new.get(sha256) or self._read(sha256[:2]).get(sha256)

    def save(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock, FileLock(self._folder / "lock"):
            for group in {sha256[:2] for sha256 in self._new}:
                known = self._read(group)
                new = {key: url for key, url in self._new.items() if key.startswith(group)}
                if new.items() <= known.items():
                    continue
                partial = self._folder / f"{group}.partial"
                text = json.dumps({**known, **new}, indent=0, sort_keys=True)
                with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:  # noqa: PTH123
                    f.write(text)
                partial.replace(self._path(group))

    def _path(self, group: str) -> Path:
        return self._folder / f"{group}.json"

    def _read(self, group: str) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._path(group).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return known
