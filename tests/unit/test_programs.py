"""What a program writes is handed on as it comes; its failure, and ours, end both."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dsvm.programs import PIECE, ProgramFailed, stream

MANY = "import os\nfor at in range(40): os.write(1, bytes([at]) * 30_011)"


def test_all_bytes_come_in_their_order_in_full_pieces() -> None:
    pieces: list[bytes] = []
    stream([sys.executable, "-c", MANY], lambda piece: pieces.append(bytes(piece)))

    assert b"".join(pieces) == b"".join(bytes([at]) * 30_011 for at in range(40))
    assert {len(piece) for piece in pieces[:-1]} == {PIECE}


def test_a_program_that_fails_midway_is_told_with_what_it_said(tmp_path: Path) -> None:
    code = "import sys; print('half'); sys.stderr.write('no more paper'); sys.exit(3)"
    taken, log = bytearray(), tmp_path / "log"
    with pytest.raises(ProgramFailed, match="failed with status 3") as told:
        stream([sys.executable, "-c", code], taken.extend, log=log)

    assert (bytes(taken), told.value.cause) == (b"half\n", "no more paper")
    assert log.read_text().endswith("no more paper\n[exit 3]\n")


def test_what_the_taker_raises_ends_the_program() -> None:
    def full(piece: bytearray) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        stream(["yes"], full)  # which never ends by itself


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ProgramFailed, match="`no-such-program` could not start"):
        stream(["no-such-program"], bytearray().extend)
