"""Change a dsvm.toml as a careful person would: comments and layout stay."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array

from dsvm.definition.faults import parse_toml, read_text
from dsvm.errors import DsvmError


def add_tools(path: Path, tools: Sequence[str]) -> None:
    """Add `tools` to the definition at `path`, at once or not at all."""
    text = read_text(path, path.name)
    for tool in tools:
        text = add_tool(text, tool)
    _replace(path, text)


def add_tool(text: str, tool: str) -> str:
    """The text with `tool` in `tools`; the same text if it is there already."""
    return _add(text, "tools", tool)


def add_package(text: str, package: str) -> str:
    """The text with `package` among the OS packages; the same text if it is there already."""
    return _add(text, "packages", package)


def remove_tool(text: str, tool: str) -> str:
    """The text without `tool` in `tools`; the same text if it is not there."""
    document = _document(text)
    tools = document.get("tools")
    if not isinstance(tools, Array) or tool not in tools:
        return text
    tools.remove(tool)
    return document.as_string()


def _add(text: str, key: str, value: str) -> str:
    document = _document(text)
    values = document.get(key)
    if values is None:
        return f"{key} = {tomlkit.item([value]).as_string()}\n{text}"
    if not isinstance(values, Array):
        raise DsvmError(f"`{key}` is no list", remedy=f'write it like `{key} = ["{value}"]`')
    if value in values:
        return text
    values.append(value)
    return document.as_string()


def _document(text: str) -> tomlkit.TOMLDocument:
    parse_toml(text, "dsvm.toml")
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError) as wrong:
        raise DsvmError(
            "`dsvm.toml` cannot be changed by a program", cause=str(wrong), remedy="edit it by hand"
        ) from None


def _replace(path: Path, text: str) -> None:
    """Write beside and rename over, so that a crash leaves the old or the new text."""
    path = path.resolve()
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        fresh = Path(name)
        fresh.chmod(path.stat().st_mode & 0o777)
        fresh.replace(path)
    except OSError as trouble:
        raise DsvmError(
            f"`{path}` cannot be written", cause=trouble.strerror, remedy="look at its permissions"
        ) from None
