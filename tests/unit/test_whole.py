"""A file that is replaced is the old one or the new one, whatever happens to its writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dsvm.whole import write_whole

WRITE_FOR_EVER = """
import sys
from pathlib import Path
from dsvm.whole import write_whole
while True:
    for letter in b"ab":
        write_whole(Path(sys.argv[1]), bytes([letter]) * 3_000_000)
"""


def writing(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, path])


def test_a_reader_never_sees_a_part_of_what_two_write(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * 3_000_000)
    writers = [writing(path) for _ in range(2)]
    try:
        seen: set[bytes] = set()
        while len(seen) < 2:
            text = path.read_bytes()
            assert len(text) == 3_000_000
            seen.add(text[:1])
            assert len(set(text)) == 1
            assert not [writer for writer in writers if writer.poll() is not None]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()


def test_what_a_killed_writer_left_is_taken_over_by_the_next(tmp_path: Path) -> None:
    path, partial = tmp_path / "file", tmp_path / ".file.partial"
    writer = writing(path)
    while not path.exists():
        time.sleep(0.01)
    while not partial.exists() or not partial.stat().st_size:
        writer.send_signal(signal.SIGCONT)
        time.sleep(0.0003)
        writer.send_signal(signal.SIGSTOP)
        os.waitpid(writer.pid, os.WUNTRACED)
    writer.kill()
    writer.wait()
    assert partial.exists()

    write_whole(path, b"new")

    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_file_keeps_its_permissions_and_a_new_one_gets_those_asked(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"old")
    old.chmod(0o640)

    write_whole(old, b"other", mode=0o600)
    write_whole(new, b"other", mode=0o600, synced=True)

    assert (old.stat().st_mode & 0o777, new.stat().st_mode & 0o777) == (0o640, 0o600)


def test_a_file_that_cannot_be_replaced_stays_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()

    with pytest.raises(IsADirectoryError):
        write_whole(path, b"new")

    assert list(tmp_path.iterdir()) == [path]
