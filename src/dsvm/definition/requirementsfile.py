"""pip's requirements.txt: https://pip.pypa.io/en/stable/reference/requirements-file-format/"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dsvm.definition.faults import SourceText, shown
from dsvm.definition.requirements import Reader, requirement
from dsvm.errors import DsvmError

_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"(-[a-zA-Z]|--[a-z-]+)(?:\s*=\s*|\s+)?(.*)")
# The lock has a digest for every file itself, so pip's per-requirement options add nothing.
_PER_REQUIREMENT = re.compile(r"\s+--(?:hash|global-option|config-settings?)[\s=].*$")
_HARMLESS = ("--prefer-binary", "--only-binary", "--require-hashes", "--use-pep517")
_INDEX = ("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links")
_DEEPEST = 10


def read(reader: Reader, path: Path, source: SourceText, stack: tuple[Path, ...] = ()) -> None:
    """Every line of the file into `reader`, with the files it includes."""
    for line, text in logical_lines(source.text):
        if text.startswith("-"):
            _option(reader, path, source, line, text, (*stack, path))
        else:
            _requirement(reader, source, line, text)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, joined where they end in a backslash, with their number."""
    start, parts = 1, list[str]()
    for number, row in enumerate(text.split("\n"), 1):
        row = row.rstrip("\r")
        if not parts:
            start = number
        if row.endswith("\\") and not row.lstrip().startswith("#"):
            parts.append(row[:-1])
            continue
        joined = _COMMENT.sub("", "".join([*parts, row])).strip()
        parts = []
        if joined:
            yield start, joined
    if joined := _COMMENT.sub("", "".join(parts)).strip():
        yield start, joined


def _requirement(reader: Reader, source: SourceText, line: int, text: str) -> None:
    text = _PER_REQUIREMENT.sub("", text)
    if "${" in text:
        remedy = "write the value itself; `[sources]` holds addresses"
        reader.bad(source, line, "variables are not filled in here", remedy)
    else:
        reader.require(source, line, text)


def _option(
    reader: Reader, path: Path, source: SourceText, line: int, text: str, stack: tuple[Path, ...]
) -> None:
    match = _OPTION.fullmatch(text)
    option, value = match.groups() if match else (text, "")
    if option in ("-r", "--requirement", "-c", "--constraint"):
        _include(reader, path.parent / value, source, line, option.lstrip("-")[0] == "c", stack)
    elif option in _INDEX:
        what = f"`{option}` has no place in a definition's requirements"
        reader.bad(source, line, what, "name the index in `[sources]` of dsvm.toml: `pypi`")
    elif option in ("-e", "--editable"):
        what = "an editable install cannot be locked"
        reader.bad(source, line, what, "mount its folder and `pip install -e` it inside")
    elif option not in _HARMLESS:
        what = f"option `{shown(option, 40)}` is not understood"
        reader.bad(source, line, what, "leave the line out")


def _include(
    reader: Reader,
    path: Path,
    source: SourceText,
    line: int,
    constraint: bool,
    stack: tuple[Path, ...],
) -> None:
    if path in stack or len(stack) > _DEEPEST:
        reader.bad(source, line, "these files include each other", "leave one `-r` out")
        return
    text = reader.open(path, source, (line, "include"), line)
    if text is None:
        return
    if constraint:
        _constraints(reader, text)
    else:
        read(reader, path, text, stack)


def _constraints(reader: Reader, source: SourceText) -> None:
    for line, text in logical_lines(source.text):
        try:
            reader.into.constraints.append(requirement(_PER_REQUIREMENT.sub("", text)))
        except DsvmError as wrong:
            reader.bad(source, line, wrong.what, wrong.remedy or "", wrong.cause)
