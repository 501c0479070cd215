"""What is kept of a machine on disk.

machines/<name>/
  machine.json      MachineRecord; written atomically
  lock lock.json    held (filelock) by every operation on the machine; who holds it
  disk.qcow2        overlay on the image's raw disk in the store
  seed/seed.json    what the guest is told at each start (0600)
  ssh/              id_ed25519 (the owner's key), known_hosts (the pinned host key), host_ed25519
  logs/ reports/    console.log and the like; reports/<time>.json|.xml|.html
  engine/           the engine's own
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from dsvm.build.model import Image, Layer
from dsvm.lock.model import Lock


class SizeRecord(BaseModel):
    """Bytes and counts; see `dsvm.engines.base.Size`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: int
    memory: int
    disk: int
    accelerator: str = "auto"


class MachineRecord(BaseModel):
    """`definition` is the text of dsvm.toml that was last applied, `folder` where it lies.

    `apps` maps an app's name to its port on the host's loopback, `tokens` to its secret.
    `image` is what the disk was made from; `layers` are attached at each start (those of the
    image until a changed definition adds or swaps some). `lock` is what was last applied.
    `inputs` is the digest of all that `up` reads (definition, lock, catalog, files to copy): the
    same digest again means there is nothing to do. Empty while an `up` is not yet through.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    name: str
    engine: str
    folder: str
    definition: str
    lock: Lock
    image: Image
    size: SizeRecord
    ssh_port: int
    apps: dict[str, int]
    tokens: dict[str, str]
    created_at: float
    layers: tuple[Layer, ...] = ()
    inputs: str = ""
    notes: tuple[str, ...] = ()
