"""A tool folder to start from: it works as it stands, and says what to change."""

from __future__ import annotations

import shutil
from pathlib import Path

from dsvm import scratch
from dsvm.catalog.load import FOLDER_NAME, load_catalog
from dsvm.errors import DsvmError

TEMPLATE = Path(__file__).with_name("template")
SPECIMEN = "tool.toml"


def new_tool(name: str, catalog: Path) -> Path:
    """Write the folder `name` below the catalog folder, whole or not at all; returns it.

    Raises `DsvmError` for a name that cannot be a tool's, that dsvm has itself, or that is there.
    """
    if not FOLDER_NAME.fullmatch(name):
        what = f"`{name}` is no name for a tool"
        raise DsvmError(what, remedy="lower case letters, digits and hyphens only")
    known = load_catalog().tools.get(name)
    if known:
        what = f"dsvm has a tool `{name}`: {known.summary}"
        raise DsvmError(what, remedy="choose another name; a tool never hides another")
    folder = catalog / name
    if folder.exists():
        raise DsvmError(f"{folder} exists", remedy="edit it, or choose another name")
    with scratch.folder("tool", catalog) as aside:
        made = shutil.copytree(TEMPLATE, aside / name)
        file = made / SPECIMEN
        text = file.read_text(encoding="utf-8")
        title = name.replace("-", " ").capitalize()
        file.write_text(text.replace("@NAME@", name).replace("@TITLE@", title), encoding="utf-8")
        made.rename(folder)
    return folder
