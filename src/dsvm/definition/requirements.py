"""What an own environment asks for: in dsvm.toml, or in a file that Python people already have."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from dsvm.definition.faults import Faults, SourceText, read_text, shown
from dsvm.definition.model import EnvironmentDefinition
from dsvm.definition.positions import Place
from dsvm.errors import DsvmError


@dataclass
class RequirementSet:
    """Packages as PEP 508 texts, constraints on them, and which Python they ask for.

    `python` holds version specifiers (`>=3.11`) that a file demands; "" demands nothing.
    """

    requirements: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    python: str = ""


@dataclass
class Reader:
    """What all readers need: where the definition is, and where faults go.

    `place` and `source` are the line of dsvm.toml that named the file.
    """

    folder: Path
    source: SourceText
    place: Place
    faults: Faults
    into: RequirementSet = field(default_factory=RequirementSet)

    def open(
        self, path: Path, source: SourceText, place: Place, line: int | None = None
    ) -> SourceText | None:
        """The text at `path`; if it cannot be read, the fault is on the line that named it."""
        name = self.name_of(path)
        try:
            return SourceText(name, read_text(path, name))
        except DsvmError as wrong:
            remedy = wrong.remedy if wrong.where else "correct the path, or create the file"
            self.faults.add(source, place, wrong.what, cause=wrong.cause, remedy=remedy, line=line)
            return None

    def name_of(self, path: Path) -> str:
        return str(path.relative_to(self.folder)) if path.is_relative_to(self.folder) else str(path)

    def require(self, source: SourceText, line: int, text: str) -> None:
        """Add one requirement of a file, or the fault."""
        try:
            self.into.requirements.append(requirement(text))
        except DsvmError as wrong:
            self.bad(source, line, wrong.what, wrong.remedy or "", wrong.cause)

    def bad(
        self, source: SourceText, line: int, what: str, remedy: str, cause: str | None = None
    ) -> None:
        self.faults.add(source, (line, what), what, cause=cause, remedy=remedy, line=line)


def requirement(text: str) -> str:
    """`text` in its normal form. Raises `DsvmError` for what no package index can give."""
    try:
        parsed = Requirement(text)
    except InvalidRequirement as wrong:
        raise DsvmError(
            f"`{shown(text, 60)}` is no requirement",
            cause=str(wrong).splitlines()[0].strip() if str(wrong) else None,
            remedy=_remedy_for(text),
        ) from None
    if parsed.url is not None:
        scheme = shown(urlsplit_scheme(parsed.url), 20)
        raise DsvmError(
            f"`{shown(parsed.name, 60)}` is taken from an address ({scheme}:)",
            cause="the lock names packages by version and digest, never by an address",
            remedy="put the wheel into a folder and name it in `[sources]` as `find-links`",
        )
    return str(parsed)


def urlsplit_scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme or "a path"
    except ValueError:
        return "an address"


def _remedy_for(text: str) -> str:
    if text.lstrip().startswith("-"):
        return "options belong into a requirements.txt, named by `file`"
    if "+" in text.partition("://")[0] or text.startswith(("http:", "https:", "file:")):
        return "packages come from an index: build a wheel and name its folder as `find-links`"
    if text.strip().startswith((".", "/", "~")):
        return "put a wheel into a folder and name it in `[sources]` as `find-links`"
    return "write it as pip does: `polars`, `lightgbm>=4`, `dask[array]==2025.1.0`"


def read_requirements(
    name: str,
    environment: EnvironmentDefinition,
    folder: Path,
    source: SourceText,
    faults: Faults,
) -> RequirementSet:
    """What environment `name` asks for; mistakes, also those in its file, go to `faults`."""
    if environment.file is None:
        return _inline(("environments", name, "requirements"), environment, source, faults)
    return _from_file(name, environment.file, Reader(folder, source, (), faults))


def _inline(
    place: Place, environment: EnvironmentDefinition, source: SourceText, faults: Faults
) -> RequirementSet:
    found = RequirementSet()
    for number, text in enumerate(environment.requirements or ()):
        if faults.known(source, (*place, number)):
            continue
        try:
            found.requirements.append(requirement(text))
        except DsvmError as wrong:
            faults.add(source, (*place, number), wrong.what, cause=wrong.cause, remedy=wrong.remedy)
    return found


def _from_file(name: str, file: str, reader: Reader) -> RequirementSet:
    from dsvm.definition import condafile, pyprojectfile, requirementsfile

    reader.place = ("environments", name, "file")
    path = reader.folder / file
    readers = {
        ".txt": requirementsfile.read,
        ".in": requirementsfile.read,
        ".toml": pyprojectfile.read,
        ".yml": condafile.read,
        ".yaml": condafile.read,
    }
    read = readers.get(path.suffix)
    if read is None:
        reader.faults.add(
            reader.source,
            reader.place,
            f"`{shown(file, 60)}` is no kind of file with requirements",
            remedy="name a requirements.txt, a pyproject.toml or an environment.yml",
        )
        return reader.into
    text = reader.open(path, reader.source, reader.place)
    if text is not None:
        read(reader, path, text)
    return reader.into
