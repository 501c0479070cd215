"""`[project]` of a pyproject.toml: https://packaging.python.org/specifications/pyproject-toml/"""

from __future__ import annotations

from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from dsvm.definition.faults import SourceText, parse_toml
from dsvm.definition.requirements import Reader
from dsvm.errors import DsvmError


def read(reader: Reader, path: Path, source: SourceText) -> None:
    """`dependencies` and `requires-python` into `reader`."""
    try:
        source, data = parse_toml(source.text, source.name)
    except DsvmError as wrong:
        reader.faults.add_error(source.name, (), wrong)
        return
    project = data.get("project")
    if not isinstance(project, dict) or not isinstance(project.get("dependencies", []), list):
        what = "this pyproject.toml has no `[project]` with a list of `dependencies`"
        reader.bad(source, 1, what, "write the requirements into dsvm.toml instead")
        return
    if "dependencies" in _texts(project.get("dynamic")):
        line = source.line_of(("project", "dynamic"))
        what = "its dependencies are computed when the project is built"
        reader.bad(source, line, what, "name the file with the requirements itself")
    _python(reader, source, project.get("requires-python", ""))
    for number, text in enumerate(project.get("dependencies", [])):
        line = source.line_of(("project", "dependencies", number))
        reader.require(source, line, text if isinstance(text, str) else repr(text))


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _python(reader: Reader, source: SourceText, wanted: object) -> None:
    try:
        reader.into.python = str(SpecifierSet(wanted if isinstance(wanted, str) else "?"))
    except InvalidSpecifier:
        line = source.line_of(("project", "requires-python"))
        what = "`requires-python` is no version specifier"
        reader.bad(source, line, what, 'write it like `requires-python = ">=3.11"`')
