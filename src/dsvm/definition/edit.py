"""Change a dsvm.toml as a careful person would: comments and layout stay."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array, Table

from dsvm.definition.faults import parse_toml, read_text
from dsvm.errors import DsvmError
from dsvm.whole import write_whole

ABOVE = ("name", "base", "profile", "tools")


def add_tools(path: Path, tools: Sequence[str]) -> None:
    """Add `tools` to the definition at `path`, at once or not at all."""
    text = read_text(path, path.name)
    for tool in tools:
        text = add_tool(text, tool)
    replace_text(path, text)


def add_tool(text: str, tool: str) -> str:
    """The text with `tool` in `tools`; the same text if it is there already."""
    return _add(text, "tools", tool)


def add_models(path: Path, models: Sequence[str]) -> None:
    """Add `models` of the catalog to the definition at `path`, at once or not at all."""
    text = read_text(path, path.name)
    for model in models:
        text = add_model(text, model)
    replace_text(path, text)


def add_model(text: str, model: str) -> str:
    """The text with a table `[models.MODEL]` at its end; the same text if it is there already."""
    models = _document(text).get("models", {})
    if not isinstance(models, MutableMapping):
        raise DsvmError("`models` is no table", remedy=f"write it as `[models.{model}]`")
    if model in models:
        return text
    newline = "\r\n" if "\r\n" in text else "\n"
    between = "" if not text or text.endswith("\n") else newline
    return f"{text}{between}{newline}[models.{model}]{newline}"


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


def rename(text: str, name: str) -> str:
    """The text with `name` as the machine's; the same text if that is its name."""
    document = _document(text)
    if document.get("name") == name:
        return text
    document["name"] = name
    return document.as_string()


def set_size(text: str, values: Mapping[str, int | str | list[str]]) -> str:
    """The text with these keys of `[size]`; what else stands there stays."""
    document = _document(text)
    if "size" not in document:
        document["size"] = tomlkit.table()
    size = document["size"]
    if not isinstance(size, MutableMapping):
        raise DsvmError("`size` is no table", remedy="write it as `[size]`, with keys below it")
    for key, value in values.items():
        if size.get(key) != value:
            size[key] = value
    return document.as_string()


def _add(text: str, key: str, value: str) -> str:
    document = _document(text)
    values = document.get(key)
    if values is None:
        return _with_line(text, document, f"{key} = {tomlkit.item([value]).as_string()}")
    if not isinstance(values, Array):
        raise DsvmError(f"`{key}` is no list", remedy=f'write it like `{key} = ["{value}"]`')
    if value in values:
        return text
    values.append(value)
    return document.as_string()


def _with_line(text: str, document: tomlkit.TOMLDocument, line: str) -> str:
    """The text with a new key's line below the last of `name`, `base`, `profile` and `tools`, as a
    person would order them; without any of these at the top, above all tables."""
    at = 0
    for key in ABOVE:
        if key in document and not isinstance(document[key], Table | AoT):
            at = max(at, _end_of(key, text))
    lines = text.splitlines(keepends=True)
    if at and not lines[at - 1].endswith("\n"):
        lines[at - 1] += "\n"
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    return "".join([*lines[:at], line + newline, *lines[at:]])


def _end_of(key: str, text: str) -> int:
    """How many lines of the text reach up to the end of a top-level key's value.

    The shortest beginning of the text that is TOML and has the key ends there, for a value of
    several lines is no TOML before it is closed.
    """
    lines = text.splitlines(keepends=True)
    for count in range(1, len(lines) + 1):
        try:
            if key in tomlkit.parse("".join(lines[:count])):
                return count
        except (TOMLKitError, ValueError):
            continue
    return 0


def _document(text: str) -> tomlkit.TOMLDocument:
    parse_toml(text, "dsvm.toml")
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError) as wrong:
        raise DsvmError(
            "`dsvm.toml` cannot be changed by a program", cause=str(wrong), remedy="edit it by hand"
        ) from None


def replace_text(path: Path, text: str) -> None:
    """Write beside and rename over, so that a crash leaves the old or the new text."""
    path = path.resolve()
    try:
        write_whole(path, text.encode())
    except OSError as trouble:
        raise DsvmError(
            f"`{path}` cannot be written", cause=trouble.strerror, remedy="look at its permissions"
        ) from None
