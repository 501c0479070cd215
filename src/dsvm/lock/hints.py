"""Where files were last seen: addresses by sha256, in the cache, never in the lock.

cache/urls/<2 hex>.json     {sha256: address}; 0600, since an address may hold credentials
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from filelock import FileLock

from dsvm.home import Home
from dsvm.whole import write_whole


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
                self._write(group, _text({**known, **new}))

    def forget(self, keep: Collection[str], *, dry_run: bool = False) -> int:
        """Remove the addresses of all other files; the bytes that frees (or would)."""
        if not self._folder.is_dir():
            return 0
        with FileLock(self._folder / "lock"):
            return sum(self._forget(path, keep, dry_run) for path in self._folder.glob("*.json"))

    def _forget(self, path: Path, keep: Collection[str], dry_run: bool) -> int:
        before, known = path.stat().st_size, self._read(path.stem)
        left = {sha256: url for sha256, url in known.items() if sha256 in keep}
        text = _text(left) if left else ""
        if left == known:
            return 0
        if not dry_run and left:
            self._write(path.stem, text)
        elif not dry_run:
            path.unlink()
        return before - len(text.encode())

    def _write(self, group: str, text: str) -> None:
        write_whole(self._path(group), text.encode(), mode=0o600)

    def _path(self, group: str) -> Path:
        return self._folder / f"{group}.json"

    def _read(self, group: str) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._path(group).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return known


def _text(known: Mapping[str, str]) -> str:
    return json.dumps(known, indent=0, sort_keys=True)
