"""Layers of an exported image are partitions, hashed before they are mounted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dsvm.guest import layers
from dsvm.guest.system import GuestError

CONTENT = b"layer" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def test_a_partition_is_found_by_the_name_in_its_disks_table(tmp_path: Path) -> None:
    for name, text in (("vda1", "PARTN=1\nPARTNAME=esp\n"), ("vda2", "PARTNAME=dsvm-seed\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "uevent").write_text(text)

    assert layers.partition_named("dsvm-seed", tmp_path) == Path("/dev/vda2")
    assert layers.partition_named("dsvm", tmp_path) is None


def test_what_fills_a_partition_behind_the_layer_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "WHOLE", tmp_path / "whole")
    (tmp_path / "whole").mkdir()
    (tmp_path / "part").write_bytes(CONTENT + bytes(100))

    layers._check(tmp_path / "part", DIGEST, len(CONTENT))

    assert (tmp_path / "whole" / DIGEST).exists()


def test_a_damaged_layer_is_named_and_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "WHOLE", tmp_path / "whole")
    (tmp_path / "part").write_bytes(b"L" + CONTENT[1:])

    with pytest.raises(GuestError, match=f"layer {DIGEST[:20]} is damaged"):
        layers._check(tmp_path / "part", DIGEST, len(CONTENT))

    assert not (tmp_path / "whole" / DIGEST).exists()
