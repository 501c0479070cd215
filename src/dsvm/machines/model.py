"""What is kept of a machine on disk.

machines/<name>/
  machine.json      MachineRecord; written atomically
  lock lock.json    held (filelock) by every operation on the machine; who holds it
  disk.qcow2        overlay on the image's raw disk in the store
  snapshots/        see `dsvm.machines.chain`
  seed/seed.json    what the guest is told at each start (0600)
  ssh/              id_ed25519 (the owner's key), known_hosts (the pinned host key), host_ed25519
  logs/ reports/    console.log and the like; reports/<time>.json|.xml|.html, latest.*
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


class AppPage(BaseModel):
    """An app's web page: its port inside, and the paths `App` of the catalog names.

    `way` leads through the gate, if it has one; `path` and `ready` begin with it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inside: int
    path: str
    ready: str
    way: str = ""


class MachineRecord(BaseModel):
    """`definition` is the text of dsvm.toml that was last applied, `folder` where it lies.

    `apps` maps an app's name to its port on the host's loopback, `tokens` to its secret, `pages`
    to what its address is made of. `image` is what the disk was made from; `layers` are attached
    at each start (those of the image until a changed definition adds or swaps some). `lock` is
    what was last applied, `tools` the names proven with it; `disk_lock` is what the image's disk
    was built from (older records lack it). `inputs` are digests of all that `up` reads (see
    `dsvm.machines.inputs`): the same again means there is nothing to do; empty while an `up` is
    not yet through. `accelerator` is what the machine found at its last start, `guest` the digest
    of the guest's files that it then had. `disk_now` is how large the disk still is, in bytes,
    where it has to grow to its size at the next start; None: it has its size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    name: str
    engine: str
    folder: str
    definition: str
    lock: Lock
    disk_lock: Lock | None = None
    image: Image
    layers: tuple[Layer, ...]
    size: SizeRecord
    disk_now: int | None = None
    tools: tuple[str, ...] = ()
    ssh_port: int
    apps: dict[str, int] = {}
    tokens: dict[str, str] = {}
    pages: dict[str, AppPage] = {}
    created_at: float
    inputs: dict[str, str] = {}
    accelerator: str = "cpu"
    guest: str = ""
    notes: tuple[str, ...] = ()
