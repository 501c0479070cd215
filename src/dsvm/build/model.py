"""What a build leaves in the store: layers and an image, each by digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from dsvm.definition.model import Variant

LayerKind = Literal["os", "environment", "interpreter", "app", "module", "disk"]


class Layer(BaseModel):
    """One built, immutable part.

    `name` is unique in an image: `os`, `env-base-cpu`, `python-3.11`, `app-vscode`,
    `disk` (the image's raw disk, made from `os`). `key` is the
    digest of everything the layer depends on, `digest` (sha256, hex) that of its bytes.
    `seconds` is how long it took to build, and of that `steps` by name, wherever it was built.
    `mountpoint` is where the machine sees it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: LayerKind
    key: str
    digest: str
    bytes: int
    seconds: float
    steps: Mapping[str, float] = {}
    cached: bool
    mountpoint: str | None = None
    environment: str | None = None
    variant: Variant | None = None

    def __hash__(self) -> int:
        return hash((self.name, self.key, self.digest))  # a mapping, `steps`, has no hash


class Image(BaseModel):
    """One immutable OS disk plus the layers it needs.

    `digest` is that of the raw disk; `id` that of the disk and all layers together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    base: str
    digest: str
    bytes: int
    root_offset: int
    layers: tuple[Layer, ...]
