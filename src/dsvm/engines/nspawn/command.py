"""The command line of systemd-nspawn. See systemd-nspawn(1), versions 252 and later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dsvm.engines.nspawn.plan import Plan

PROGRAM = "systemd-nspawn"
REBOOT_STATUS = 133
"""nspawn's own status when the machine asked for a reboot (with --keep-unit)."""

UID_COUNT = 65536
RUN = "/run/dsvm"
LAYERS = "/run/dsvm/layers"
SEED = "/run/dsvm/seed"
TOLD = "/run/dsvm/devices.json"

# What root inside would need only to reach the host, where no user namespace keeps it in.
DROPPED = ("CAP_MKNOD", "CAP_SYS_TTY_CONFIG", "CAP_AUDIT_CONTROL", "CAP_LEASE", "CAP_SYS_NICE")


@dataclass(frozen=True)
class Work:
    """The supervisor's folder: a tmpfs that exists only in its own mount namespace."""

    root: Path

    @property
    def disk(self) -> Path:
        """The disk as a raw file."""
        return self.root / "disk"

    @property
    def tree(self) -> Path:
        """The mounted root partition."""
        return self.root / "tree"

    @property
    def seed(self) -> Path:
        return self.root / "seed"

    @property
    def resolv_conf(self) -> Path:
        return self.root / "resolv.conf"

    @property
    def fuse(self) -> Path:
        """A node of the machine's own, where one can be made."""
        return self.root / "devices" / "fuse"

    @property
    def told(self) -> Path:
        """What the guest is told of the host's devices."""
        return self.root / "told"

    @property
    def notify(self) -> Path:
        return self.root / "notify"

    def layer(self, digest: str) -> Path:
        return self.root / "layers" / digest

    def folder(self, number: int) -> Path:
        return self.root / "folders" / str(number)

    def node(self, number: int) -> Path:
        """A device of the host, as a node."""
        return self.root / "nodes" / str(number)

    def given(self, number: int) -> Path:
        """A file of the host that belongs to such a device."""
        return self.root / "given" / str(number)


def nspawn_argv(plan: Plan, work: Work, devices: Sequence[tuple[Path, str]] = ()) -> list[str]:
    """Boots the machine from `work.tree`; all that is bound is already mounted below `work`.

    `devices`: what belongs to the host's, and where it is inside.
    """
    machine = plan.machine
    argv = [
        PROGRAM,
        "--quiet",
        f"--directory={work.tree}",
        f"--machine={machine.name}",
        "--register=no",
        "--keep-unit",
        "--private-network",
        "--console=pipe",
        "--link-journal=no",
        "--timezone=off",
        "--resolv-conf=off",
        *_isolation(plan.uid_base),
        *_binds(plan, work),
        *(f"--bind={source}:{_escaped(target)}" for source, target in devices),
    ]
    return [*argv, "--as-pid2", "--", plan.init] if plan.init else [*argv, "--boot"]


def _isolation(uid_base: int | None) -> list[str]:
    if uid_base is None:
        return [f"--drop-capability={','.join(DROPPED)}"]
    return [f"--private-users={uid_base}:{UID_COUNT}", "--private-users-ownership=map"]


def _binds(plan: Plan, work: Work) -> list[str]:
    # Root-owned files of the host stay root's inside; folders have been translated already.
    option = ":idmap" if plan.uid_base is not None else ""
    # Folders that nspawn makes belong to the host's root, a stranger inside; a tmpfs does not.
    argv = [f"--tmpfs={RUN}:mode=755", f"--tmpfs={LAYERS}:mode=755"]
    argv += [f"--bind-ro={work.seed}:{SEED}{option}"]
    argv += [f"--bind-ro={work.resolv_conf}:/etc/resolv.conf"]
    argv += [f"--bind-ro={work.told}:{TOLD}"] if work.told.exists() else []
    argv += [f"--bind={work.fuse}:/dev/fuse"] if work.fuse.exists() else []
    for layer in plan.machine.layers:
        argv.append(f"--bind-ro={work.layer(layer.digest)}:{LAYERS}/{layer.digest}{option}")
    for number, mount in enumerate(plan.machine.mounts):
        kind = "--bind-ro" if mount.read_only else "--bind"
        argv.append(f"{kind}={work.folder(number)}:{_escaped(mount.target)}")
    return argv


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:")
