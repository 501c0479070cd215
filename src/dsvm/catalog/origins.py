"""Where a tool comes from that is neither an OS package nor a Python or npm package.

A tool may name several origins; the first one that is reached when it is locked is taken.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


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


class Origin(Strict):
    """One place a tool may come from: exactly one of the kinds.

    `commands` maps names to programs in it (`{ julia = "bin/julia" }`): the machine has them in
    /usr/local/bin.
    """

    artifact: ArtifactNeed | None = None
    debs: DebsNeed | None = None
    commands: dict[str, str] = Field(default_factory=dict)

    @property
    def kind(self) -> str:
        return "artifact" if self.artifact else "debs"

    @property
    def shown(self) -> str:
        """The origin as a person names it."""
        if self.debs:
            return f"packages of {self.debs.base}: {', '.join(self.debs.packages)}"
        return self.artifact.url if self.artifact else ""
