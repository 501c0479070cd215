"""What the folder of a model says, as checked data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from dsvm.catalog.model import SourceOnly
from dsvm.catalog.origins import OfFolder, Strict

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
InputKind = Literal["text", "sound", "picture", "file", "tensors"]


class Weights(Strict):
    """One file of what was learned; `size` in bytes."""

    sha256: Digest
    size: int = Field(ge=1)


class Known(Strict):
    """An answer that is known: `input` is the text itself, or a file of `samples/`.

    Of the answer's values some are as in `equals`, others within `least` and `most`.
    """

    input: str
    equals: dict[str, Any] = Field(default_factory=dict)
    least: dict[str, float] = Field(default_factory=dict)
    most: dict[str, float] = Field(default_factory=dict)


class Model(OfFolder):
    """`licence` is that of the weights, `memory` what the process that answers needs, measured.

    `requirements` are its Python packages: the one that ships the weights by its exact version,
    `weights` are paths below site-packages.
    """

    title: str
    summary: str
    homepage: str
    licence: str
    note: str | None = None
    task: str
    input: InputKind
    runtime: str
    requirements: list[str] = Field(min_length=1)
    source_only: list[SourceOnly] = Field(default_factory=list)
    memory: str
    weights: dict[str, Weights] = Field(min_length=1)
    known: list[Known] = Field(min_length=1)

    @property
    def size(self) -> int:
        """How large its weights are (bytes)."""
        return sum(one.size for one in self.weights.values())

    @property
    def source(self) -> str:
        """The package that ships the weights, by its version."""
        return next(text for text in reversed(self.requirements) if "==" in text)
