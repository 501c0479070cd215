"""conda's environment.yml, taken as packages of a Python index.

https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-environments.html
Names that differ, and packages that are none of Python's, are in conda_names.toml.
"""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from dsvm.definition.faults import SourceText, nearest, shown
from dsvm.definition.requirements import Reader

_IGNORED = ("name", "channels", "prefix", "platforms")
_SPEC = re.compile(r"(?:[\w./:-]*::)?([A-Za-z0-9_][\w.-]*)(?:\[[^]]*\])?\s*(.*)", re.ASCII)
_FUZZY = re.compile(r"=?([0-9][\w.!+]*)(?:\.?\*)?")
_KEYS = ("dependencies", *_IGNORED)


def read(reader: Reader, path: Path, source: SourceText) -> None:
    """`dependencies` with its `pip:` part into `reader`."""
    try:
        root = yaml.compose(source.text, Loader=yaml.SafeLoader)
    except RecursionError:
        reader.bad(source, 1, "this file is nested too deeply", "write it flatter")
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        cause = shown(str(getattr(wrong, "problem", None) or "a character YAML forbids"))
        line = mark.line + 1 if mark else 1
        reader.bad(source, line, f"`{source.name}` is not valid YAML", "correct the line", cause)
    else:
        _document(reader, source, root)


def _document(reader: Reader, source: SourceText, root: yaml.Node | None) -> None:
    if not isinstance(root, yaml.MappingNode):
        reader.bad(source, 1, "this environment.yml has no `dependencies`", "add a list of them")
        return
    for key, value in root.value:
        name = str(key.value)
        if name == "dependencies":
            _dependencies(reader, source, value)
        elif name not in _IGNORED:
            near = nearest(name, _KEYS)
            hint = f"did you mean `{near}`?" if near else "leave it out"
            reader.bad(source, _line(key), f"`{shown(name, 40)}` is not understood here", hint)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _dependencies(reader: Reader, source: SourceText, node: yaml.Node) -> None:
    if not isinstance(node, yaml.SequenceNode):
        reader.bad(source, _line(node), "`dependencies` must be a list", "write `- polars`")
        return
    for item in node.value:
        if isinstance(item, yaml.ScalarNode):
            _package(reader, source, _line(item), item.value)
        elif isinstance(item, yaml.MappingNode) and _is_pip(item):
            _pip(reader, source, item.value[0][1])
        else:
            what = "this is neither a package nor `pip:`"
            reader.bad(source, _line(item), what, "write `- polars`, or `- pip:` with a list")


def _is_pip(node: yaml.MappingNode) -> bool:
    return len(node.value) == 1 and node.value[0][0].value == "pip"


def _pip(reader: Reader, source: SourceText, node: yaml.Node) -> None:
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for item in items:
        if isinstance(item, yaml.ScalarNode) and item.value:
            reader.require(source, _line(item), item.value)
        else:
            reader.bad(source, _line(item), "`pip:` must be a list", "write `- polars` below it")


def _package(reader: Reader, source: SourceText, line: int, text: str) -> None:
    match = _SPEC.fullmatch(text.strip())
    versions = _versions(match.group(2)) if match else None
    if match is None or versions is None:
        what = f"`{shown(text, 60)}` is no package as conda writes it"
        reader.bad(source, line, what, "write it like `pandas`, `pandas=2.2` or `pandas>=2,<3`")
        return
    name = match.group(1).lower()
    if name == "python":
        reader.into.python = versions
        return
    remedy = _not_python(name)
    if remedy:
        reader.bad(source, line, f"`{name}` is no Python package", remedy)
    elif python_name := _names()["python"].get(name, name):
        reader.require(source, line, python_name + versions)


def _not_python(name: str) -> str | None:
    patterns = _names()["not-python"].items()
    return next((remedy for pattern, remedy in patterns if fnmatchcase(name, pattern)), None)


def _versions(text: str) -> str | None:
    """conda's version and build as PEP 440 specifiers; None if there are none that mean it.

    `=2.2` and `2.2.*` mean any 2.2, `==2.2` exactly it. The build says nothing on an index.
    """
    text = re.sub(r"\s*,\s*", ",", text.strip())
    text = re.sub(r"([<>=!~])\s+", r"\1", text)
    text = re.sub(r"\s+|(?<=[\w*])=(?=[\w*])", " ", text).split(" ")[0]
    if text in ("", "*", "=*"):
        return ""
    parts = [_version(part) for part in text.split(",")]
    try:
        return str(SpecifierSet(",".join(parts)))
    except InvalidSpecifier:
        return None


def _version(part: str) -> str:
    fuzzy = _FUZZY.fullmatch(part)
    return f"=={fuzzy.group(1).rstrip('.')}.*" if fuzzy else part


@cache
def _names() -> dict[str, dict[str, str]]:
    return tomllib.loads(files(__package__).joinpath("conda_names.toml").read_text("utf-8"))
