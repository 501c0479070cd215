"""The one interface behind which machines run. Above it, everything speaks SSH."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True)
class Usable:
    """The engine has really run something here. `notes` are limits to show (isolation, size).

    `rank` is the engine's own unless what was found here makes it a worse choice for `auto`.
    """

    notes: tuple[str, ...] = ()
    rank: int | None = None


@dataclass(frozen=True)
class Unusable:
    """Why the engine cannot run here, and what would change that."""

    reason: str
    remedy: str | None = None


@dataclass(frozen=True)
class Size:
    """CPUs, memory in bytes, disk in bytes, accelerator."""

    cpus: int
    memory: int
    disk: int
    accelerator: Literal["auto", "cpu", "nvidia"] = "auto"


@dataclass(frozen=True)
class Mount:
    """A folder of the host seen inside the machine at `target`."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True)
class AttachedLayer:
    """An EROFS file of the store; the machine finds it at /run/dsvm/layers/<digest>."""

    digest: str
    path: Path


@dataclass(frozen=True)
class EngineMachine:
    """All an engine has to know of a machine.

    `folder` is the machine's own, `disk` its qcow2 overlay on the image's raw disk, `seed` a
    folder that the guest sees read-only at /run/dsvm/seed. `ports` maps a port inside the
    machine to the port on the host's loopback (22 is always there). `devices` are names of devices
    of the host that the machine is given: of CDI (`vendor.com/class=name`) or PCI addresses; None:
    NVIDIA's GPUs that can be, unless the size's accelerator is `cpu`. `root_offset` is where the
    ext4 root partition begins on the disk, in bytes. The engine keeps what it needs below
    `folder / "engine"`, its console log at `folder / "logs" / "console.log"`.
    """

    name: str
    folder: Path
    disk: Path
    root_offset: int
    size: Size
    seed: Path
    layers: tuple[AttachedLayer, ...]
    ports: dict[int, int]
    mounts: tuple[Mount, ...] = ()
    devices: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list, compare=False)


@dataclass(frozen=True)
class SshAddress:
    host: str
    port: int


@dataclass(frozen=True)
class Running:
    """`pid` is the one process by whose death the whole machine dies; `since` is Unix time.

    `patience` is by what to multiply the time anything in it may take: 1 at native speed.
    `cut_off`: what joined it to the network has died, and only a new start brings it back.
    """

    pid: int
    since: float
    notes: tuple[str, ...] = ()
    patience: float = 1.0
    cut_off: bool = False


class Engine(Protocol):
    """Runs machines from a disk.

    A module of this package has a class `ENGINE` that implements this; it is found by looking
    in the folder. `rank` orders `auto`: the lowest usable one is taken; a probe may find a
    higher number than the engine's own, never a lower one.

    `resizes_running`: CPUs and memory of a running machine can be changed. `needs_root`: it works
    for root only.
    """

    name: str
    rank: int
    resizes_running: bool
    needs_root: bool

    def programs(self) -> dict[str, str]:
        """What the engine needs on the host: program, or absolute path of a file -> package of
        Debian and Ubuntu."""
        ...

    def probe(self) -> Usable | Unusable:
        """Try for real, on this host, now."""
        ...

    def folders(self) -> Unusable | None:
        """Why a machine with `mounts` cannot run here; None when it can."""
        ...

    def gives(self, names: tuple[str, ...]) -> Unusable | None:
        """Why a machine cannot be given these devices of the host, or its GPUs of NVIDIA if there
        are no names; None when it can. See `EngineMachine.devices`."""
        ...

    def create(self, machine: EngineMachine) -> None: ...

    def start(self, machine: EngineMachine) -> None:
        """Start; returns once the machine's init runs. Raises `DsvmError` with the console log."""
        ...

    def running(self, machine: EngineMachine) -> Running | None:
        """The truth about the machine, never a remembered state."""
        ...

    def ssh(self, machine: EngineMachine) -> SshAddress: ...

    def attach(self, machine: EngineMachine, layers: tuple[AttachedLayer, ...]) -> None:
        """Make more layers, and the seed as it is now, visible in a running machine."""
        ...

    def stop(self, machine: EngineMachine, timeout_s: float) -> None:
        """Ask the machine to power off; after `timeout_s` kill it. No-op when it does not run."""
        ...

    def snapshot(self, machine: EngineMachine, overlay: Path) -> None:
        """Let a running machine go on in `overlay`, a qcow2 whose backing file has its disk."""
        ...

    def screen(self, machine: EngineMachine) -> Path | None:
        """The Unix socket on which a running machine's display answers by VNC, if it has one."""
        ...

    def resize(self, machine: EngineMachine, size: Size) -> None:
        """Processors and memory; its disk grows by `grow`, or before it is started."""
        ...

    def grow(self, machine: EngineMachine, length: int) -> bool:
        """Let the root file system of a running machine have `length` bytes; False where only
        the machine's own kernel can. Raises `DsvmError` when this host does not allow it."""
        ...

    def destroy(self, machine: EngineMachine) -> None:
        """Remove what the engine keeps outside and inside the folder. Stopped machines only."""
        ...
