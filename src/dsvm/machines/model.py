"""What is kept of a machine on disk.

machines/<name>/
  machine.json      MachineRecord; written atomically
  lock              held (filelock) by every operation on the machine
  disk.qcow2        overlay on the image's raw disk in the store
  seed/seed.json    what the guest is told at each start (0600)
  ssh/              id_ed25519 (the owner's key), known_hosts (the pinned host key), host_ed25519
  logs/ reports/    console.log and the like; reports/<time>.json|.xml|.html
  engine/           the engine's own
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from dsvm.build.model import Image
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
    `image` is what the disk was made from; `layers` of it are attached at each start.
    `created_packages` are OS packages installed inside after creation, at locked versions.
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
    image_packages_digest: str
    notes: tuple[str, ...] = ()
