"""A file of the Container Device Interface on this host, as a device's maker puts it there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path("/etc/cdi")


@contextmanager
def offered(name: str, kind: str, edits: Mapping[str, Any], **more: Any) -> Iterator[Path]:
    """One device, `one` of that kind, with these `containerEdits`; `more` is of the whole file."""
    device = {"name": "one", "containerEdits": edits}
    data = {"cdiVersion": "0.6.0", "kind": kind, "devices": [device], **more}
    made = not FOLDER.exists()
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / name
    file.write_text(json.dumps(data))
    yield file
    file.unlink()
    if made:
        FOLDER.rmdir()
