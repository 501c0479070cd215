"""How large a machine's disk is made, and what is said of one that has still to grow."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsvm.definition.sizes import LARGEST_DISK, SMALLEST_DISK
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.machines.disk import LEAST_REACH, adopt_disk, reach, root_bytes
from dsvm.machines.enlarge import waits
from dsvm.machines.grow import file_system_bytes
from dsvm.machines.listing import rows
from dsvm.machines.state import Machines
from tests.unit.machines.support import machine

GIB, MIB = 1 << 30, 1 << 20
OFFSET = 129 * MIB


@given(st.integers(SMALLEST_DISK, LARGEST_DISK))
def test_a_disk_reaches_far_beyond_its_size_and_its_file_system_ends_in_it(size: int) -> None:
    assert reach(size) >= max(LEAST_REACH, 4 * size)
    assert 0 < root_bytes(size, OFFSET) <= size - OFFSET - MIB
    assert root_bytes(size, OFFSET) % MIB == 0


def test_the_size_of_a_file_system_is_read_from_its_superblock(tmp_path: Path) -> None:
    raw = bytearray(OFFSET + 4096)
    struct.pack_into("<I", raw, OFFSET + 1024 + 4, 5)
    struct.pack_into("<I", raw, OFFSET + 1024 + 24, 2)
    struct.pack_into("<I", raw, OFFSET + 1024 + 0x150, 1)
    (tmp_path / "disk").write_bytes(raw)

    assert file_system_bytes(tmp_path / "disk", OFFSET) == ((1 << 32) + 5) * 4096


def test_a_disk_that_has_still_to_grow_is_a_note_in_ls(tmp_path: Path) -> None:
    machines = Machines(Home(tmp_path))
    record = machine(Home(tmp_path)).record
    assert waits(record) is None

    size = record.size.model_copy(update={"disk": 60 * GIB})
    machines.save(record.model_copy(update={"disk_now": 40 * GIB, "size": size}))

    (row,) = rows(Home(tmp_path))
    assert "its disk is still 40G: it grows to 60G at the next start" in row.notes


@pytest.mark.parametrize("virtual", [39 * GIB, reach(40 * GIB) + MIB])
def test_a_strangers_disk_of_another_size_is_refused(tmp_path: Path, virtual: int) -> None:
    disk = tmp_path / "disk.qcow2"
    header = struct.pack(">4sIQ8xQI36xQ", b"QFI\xfb", 3, 0, virtual, 0, 0)
    disk.write_bytes(header)

    with pytest.raises(DsvmError) as refused:
        adopt_disk(disk, tmp_path / "image", 40 * GIB)

    assert refused.value.cause == (f"it has {virtual} bytes, the machine's record says {40 * GIB}")
