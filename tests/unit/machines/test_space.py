"""What a snapshot's removal frees: found from real qcow2 files, and by sets of bytes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsvm.machines.space import Ranges, Written, freed, written

CLUSTER = 1 << 16
MIB = 1 << 20

ranges = st.sets(st.integers(0, 40)).map(
    lambda clusters: [(n * CLUSTER, (n + 1) * CLUSTER) for n in sorted(clusters)]
)


def held(found: Ranges) -> set[int]:
    return {at for begin, end in found for at in range(begin, end, CLUSTER)}


@given(ranges, st.lists(ranges, max_size=3))
def test_what_nobody_above_has_is_what_moves_to_them(data: Ranges, above: list[Ranges]) -> None:
    whole = 1 << 30

    left = freed(Written(whole, data, data), [Written(0, [], known) for known in above])

    assert whole - left == sum(len(held(data) - held(known)) for known in above) * CLUSTER


def test_nobody_above_frees_all_of_it_and_never_less_than_nothing() -> None:
    one = Written(2 * CLUSTER, [(0, CLUSTER)], [(0, CLUSTER)])

    assert freed(one, []) == 2 * CLUSTER
    assert freed(one, [Written(0, [], [])] * 5) == 0


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_a_real_disk_tells_what_it_holds_without_what_it_lies_on(tmp_path: Path) -> None:
    below, disk = tmp_path / "below", tmp_path / "disk"
    below.write_bytes(b"x" * MIB)
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw"]
    create += ["-b", str(below), str(disk), "64M"]
    subprocess.run(create, check=True)
    shutil.copy(disk, tmp_path / "empty")
    for request in ("write 0 64k", "write 1M 128k", "write -z 2M 64k"):
        command = ["qemu-io", "-f", "qcow2", "-c", request, disk]
        subprocess.run(command, check=True, capture_output=True)

    found = written(disk)

    assert found.data == [(0, CLUSTER), (MIB, MIB + 2 * CLUSTER)]
    assert found.known == [*found.data, (2 * MIB, 2 * MIB + CLUSTER)]
    assert found.bytes == disk.stat().st_blocks * 512
    assert written(tmp_path / "empty").data == []
