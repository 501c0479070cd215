"""What a machine has of the catalog's models: the folders, and what all adapters share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from dsvm.models.load import FOLDER

SHARED = "dsvm_model.py"


def model_files() -> Iterator[tuple[PurePosixPath, bytes]]:
    """Below one folder: `<model>/` as in the catalog, `.hub/` for those of a hub, the module
    that all of them share, and the server."""
    for file in sorted(FOLDER.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield PurePosixPath(file.relative_to(FOLDER)), file.read_bytes()
    yield PurePosixPath(".hub/model.py"), (FOLDER.parent / "hub" / "model.py").read_bytes()
    yield PurePosixPath("serve.py"), (FOLDER.parent / "inside" / "serve.py").read_bytes()
    # By its path: to name the package would load all of it, at every `dsvm up`.
    shared = FOLDER.parents[1] / "verify" / "inside" / "lib" / SHARED
    yield PurePosixPath(SHARED), shared.read_bytes()
