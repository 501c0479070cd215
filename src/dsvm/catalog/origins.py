"""Where a tool comes from that is neither an OS package nor a Python or npm package.

A tool may name several origins; the first one that is reached when it is locked is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from dsvm.definition.model import NAME_PATTERN


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class OfFolder(Strict):
    """What a folder says, with the folder's name as its own."""

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def name(self) -> str:
        return self._folder.name


class ArtifactNeed(Strict):
    """A file from its maker, digest resolved at lock time; unpacked at /opt/dsvm/apps/<tool>.

    `mirrors` are other addresses of the same file, tried in their order. `strip`: leading folders
    that an archive loses.
    """

    url: str
    mirrors: list[str] = Field(default_factory=list)
    strip: int = Field(default=0, ge=0)

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.url, *self.mirrors)


class DebsNeed(Strict):
    """OS packages of another base with all libraries they need, at /opt/dsvm/apps/<tool>.

    They run beside the machine's own. `programs` are paths in it that find these libraries.
    """

    base: str
    packages: list[str] = Field(min_length=1)
    programs: list[str] = Field(default_factory=list)


class CranNeed(Strict):
    """R packages of a CRAN-like repository, built from their sources at one dated snapshot.

    `repository` may hold `{snapshot}`, a date; `[sources] cran` stands in for it. They lie in
    /opt/dsvm/apps/<tool>/library, which every R of the machine sees. `build` names OS packages
    that compiling them needs besides R's own (`libxml2-dev`).
    """

    repository: str
    packages: list[str] = Field(min_length=1)
    build: list[str] = Field(default_factory=list)


class CondaNeed(Strict):
    """An environment out of conda channels, at /opt/dsvm/envs/<environment>; it becomes a kernel.

    `channels` are addresses, the preferred one first; `[sources] conda` stands in for all but their
    last parts (the channels' names). For a kernel `packages` must hold `ipykernel`.
    """

    environment: str = Field(pattern=NAME_PATTERN)
    channels: list[str] = Field(min_length=1)
    packages: list[str] = Field(min_length=1)


class HubNeed(Strict):
    """Files of a model hub at one commit, at /opt/dsvm/apps/<tool>: path there -> sha256."""

    hub: Literal["huggingface"]
    repository: str
    revision: str
    files: dict[str, str] = Field(min_length=1)


class Origin(Strict):
    """One place a tool may come from: exactly one of the kinds.

    `commands` maps names to programs in it (`{ julia = "bin/julia" }`): the machine has them in
    /usr/local/bin.
    """

    artifact: ArtifactNeed | None = None
    debs: DebsNeed | None = None
    cran: CranNeed | None = None
    conda: CondaNeed | None = None
    hub: HubNeed | None = None
    commands: dict[str, str] = Field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """The kinds it names; there must be one."""
        have = (
            ("artifact", self.artifact),
            ("debs", self.debs),
            ("cran", self.cran),
            ("conda", self.conda),
            ("hub", self.hub),
        )
        return [name for name, need in have if need]

    @property
    def kind(self) -> str:
        return self.kinds[0]

    @property
    def shown(self) -> str:
        """The origin as a person names it."""
        if self.debs:
            return f"packages of {self.debs.base}: {', '.join(self.debs.packages)}"
        if self.cran:
            return f"R packages of {self.cran.repository}: {', '.join(self.cran.packages)}"
        if self.conda:
            return f"conda packages of {', '.join(self.conda.channels)}"
        if self.hub:
            return f"{self.hub.repository} at {self.hub.revision[:12]} of {self.hub.hub}"
        return self.artifact.url if self.artifact else ""
