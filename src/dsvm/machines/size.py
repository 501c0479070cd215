"""How large a machine is, and whether this host has that much."""

from __future__ import annotations

from typing import Literal, cast

from dsvm.definition import Host, format_bytes, size_of
from dsvm.definition.model import SizeDefinition
from dsvm.engines.base import Size
from dsvm.errors import DsvmError
from dsvm.machines.model import SizeRecord


def choose_size(wanted: SizeDefinition, host: Host) -> Size:
    """What the definition says; what it leaves open is half of the host.

    Raises `DsvmError` when the host has not that much.
    """
    chosen = size_of(wanted, host)
    if chosen.cpus > host.cpus:
        raise _too_large("cpus", str(chosen.cpus), str(host.cpus))
    if chosen.memory > host.memory:
        raise _too_large("memory", format_bytes(chosen.memory), format_bytes(host.memory))
    return Size(chosen.cpus, chosen.memory, chosen.disk, chosen.accelerator)


def to_record(size: Size) -> SizeRecord:
    return SizeRecord(
        cpus=size.cpus, memory=size.memory, disk=size.disk, accelerator=size.accelerator
    )


def from_record(record: SizeRecord) -> Size:
    accelerator = cast(Literal["auto", "cpu", "nvidia"], record.accelerator)
    return Size(record.cpus, record.memory, record.disk, accelerator)


def _too_large(key: str, wanted: str, there: str) -> DsvmError:
    return DsvmError(
        f"[size] {key}: the host has not that much",
        cause=f"{wanted} wanted, {there} there",
        remedy=f"lower `{key}` under [size] in dsvm.toml, or leave it out for half of the host",
    )
