"""The store: complete or absent, by digest, for several processes at once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from dsvm.store import (
    DamagedBlob,
    MissingBlob,
    Store,
    StoreBusy,
    StoreFull,
    binary_size,
    file_digest,
)


class Part(BaseModel):
    digest: str


class Whole(BaseModel):
    digest: str
    parts: list[Part] = []


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def partials(store: Store) -> list[Path]:
    return list(store.root.rglob("*.partial"))


@settings(max_examples=40)
@given(chunks=st.lists(st.binary(max_size=200) | st.integers(1, 9000).map(bytes)))
def test_what_is_put_is_got_by_its_sha256(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        with store.writer(size=len(data)) as writer:
            for chunk in chunks:
                writer.write(chunk)
        assert writer.digest == hashlib.sha256(data).hexdigest() == store.put(data)
        assert store.get(writer.digest).read_bytes() == data
        assert store.has(writer.digest, len(data))
        assert not store.has(writer.digest, len(data) + 1)
        store.verify(writer.digest)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.binary(max_size=8), st.booleans()), max_size=12))
def test_gc_removes_exactly_what_is_not_kept(blobs: list[tuple[bytes, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for data, _ in blobs:
            store.put(data)
        keep = {hashlib.sha256(data).hexdigest() for data, kept in blobs if kept}
        would = store.gc(keep, dry_run=True)
        assert store.gc(keep) == would
        assert {path.name for path in store.root.glob("blobs/*/*")} == keep
        assert store.gc(keep) == 0


def test_blobs_are_read_only_under_any_umask(store: Store) -> None:
    before = os.umask(0o077)
    try:
        mode = store.get(store.put(b"x")).stat().st_mode
    finally:
        os.umask(before)
    assert mode & 0o777 == 0o444


def test_an_exception_while_writing_leaves_nothing(store: Store) -> None:
    def interrupted() -> None:
        with store.writer() as writer:
            writer.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not store.has(hashlib.sha256(b"half").hexdigest())
    assert not partials(store)


def test_bytes_of_another_digest_are_refused(store: Store) -> None:
    other = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(DamagedBlob, match=other[:16]), store.writer(expect=other) as writer:
        writer.write(b"this")
    assert not partials(store)


def test_a_restarted_writer_forgets_what_came_before(store: Store) -> None:
    with store.writer() as writer:
        writer.write(b"a long beginning")
        writer.restart()
        writer.write(b"anew")
    assert store.get(writer.digest).read_bytes() == b"anew"


@pytest.mark.parametrize("move", [True, False])
def test_put_file_keeps_the_content(store: Store, tmp_path: Path, move: bool) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    digest = store.put_file(file, expect=file_digest(file), move=move)
    assert store.get(digest).read_bytes() == b"content"
    assert file.exists() is not move


def test_what_is_empty_of_a_file_takes_no_room_in_the_store(store: Store) -> None:
    """Of another file system, so that it is copied; its end is no whole block."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        file = Path(memory, "disk")
        file.write_bytes(
            b"head" + bytes(4 << 20) + b"middle" + bytes(9 << 20) + b"tail" + bytes(77)
        )
        content = file.read_bytes()
        digest = store.put_file(file, move=True)

    kept = store.get(digest)
    assert kept.read_bytes() == content
    assert digest == hashlib.sha256(content).hexdigest()
    if kept.stat().st_dev != Path("/dev/shm").stat().st_dev:
        assert kept.stat().st_blocks * 512 < 2 << 20


def test_put_file_refuses_another_digest_and_keeps_the_file(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    with pytest.raises(DamagedBlob):
        store.put_file(file, expect="0" * 64, move=True)
    assert file.read_bytes() == b"content"


def test_a_damaged_blob_is_named_and_healed(store: Store) -> None:
    digest = store.put(b"content")
    path = store.get(digest)
    path.chmod(0o644)
    path.write_bytes(b"Content")
    with pytest.raises(DamagedBlob) as damaged:
        store.verify(digest)
    assert str(path) in str(damaged.value)
    store.discard(digest)
    assert store.put(b"content") == digest
    store.verify(digest)


def test_a_short_blob_is_replaced_by_the_next_put(store: Store) -> None:
    path = store.get(store.put(b"content"))
    path.chmod(0o644)
    path.write_bytes(b"")
    store.put(b"content")
    assert path.read_bytes() == b"content"


def test_a_flipped_bit_of_the_same_length_is_seen_and_replaced(store: Store) -> None:
    digest = store.put(b"good content")
    path = store.get(digest)
    assert store.sound(digest)
    path.chmod(0o644)
    path.write_bytes(b"evil content")
    os.utime(path, (1, 1))

    assert not store.sound(digest)
    assert store.put(b"good content") == digest
    assert store.sound(digest)
    assert store.get(digest).read_bytes() == b"good content"


def test_a_missing_blob_is_named(store: Store) -> None:
    with pytest.raises(MissingBlob, match="aaaaaaaaaaaaaaaa"):
        store.get("a" * 64)


def test_more_than_the_disk_holds_is_refused_before_the_first_byte(store: Store) -> None:
    needed = store.free_bytes() + 2**40
    full = pytest.raises(StoreFull, match=r"disk full: .* TiB needed, .* free in the store")
    with full, store.writer(size=needed):
        pytest.fail("the writer was opened")
    assert not partials(store)


def test_a_record_without_its_blobs_is_none(store: Store) -> None:
    outer, inner = store.put(b"outer"), store.put(b"inner")
    record = Whole(digest=outer, parts=[Part(digest=inner)])
    store.record_image("one", record)
    assert store.image("one", Whole) == record
    assert store.records("images") == ["one"]
    store.discard(inner)
    assert store.image("one", Whole) is None


def test_a_record_of_what_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(MissingBlob):
        store.record_layer("key", Part(digest="0" * 64))


def test_an_unreadable_record_counts_as_none(store: Store) -> None:
    (store.root / "layers" / "key.json").write_text("{")
    assert store.layer("key", Part) is None
    store.gc([])
    assert store.records("layers") == []


def test_a_kept_record_keeps_its_blobs(store: Store) -> None:
    outer, inner, other = store.put(b"outer"), store.put(b"inner"), store.put(b"other")
    store.record_layer("key", Whole(digest=outer, parts=[Part(digest=inner)]))
    store.gc(["key"])
    assert (store.has(outer), store.has(inner), store.has(other)) == (True, True, False)


def test_gc_refuses_while_the_store_is_in_use(store: Store) -> None:
    with store.using(), pytest.raises(StoreBusy):
        store.gc([])


def test_gc_removes_what_the_dead_left_but_not_what_the_living_write(store: Store) -> None:
    (store.root / "partial" / "dead.partial").write_bytes(bytes(4096))
    with store.writer() as writer:
        writer.write(b"alive")
        store.gc([])
        assert len(partials(store)) == 1
    assert store.has(writer.digest)


@pytest.mark.parametrize("remove", [lambda store: store.gc([]), lambda store: store.put(b"next")])
def test_a_killed_writer_leaves_only_a_partial_file_until_the_next_writes(
    store: Store, remove: Callable[[Store], object]
) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from dsvm.store import Store\n"
        "with Store(Path(sys.argv[1])).writer() as w:\n"
        "    w.write(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(store.root)], check=False)
    assert len(partials(store)) == 1
    assert not list(store.root.glob("blobs/*/*"))
    remove(store)
    assert not partials(store)


@pytest.mark.parametrize("name", ["../x", "", "A" * 64, "a" * 63, "a" * 64 + "/"])
def test_only_a_sha256_names_a_blob(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="not a sha256"):
        store.path(name)


@pytest.mark.parametrize("key", ["../x", "", ".hidden", "a/b"])
def test_a_record_cannot_leave_its_folder(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        store.layer(key, Part)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (2**20 - 1, "1.0 MiB"), (2**33, "8.0 GiB")],
)
def test_sizes_read_well(count: int, text: str) -> None:
    assert binary_size(count) == text


MANY = """
import sys
from pathlib import Path
from dsvm.store import Store, StoreBusy
store = Store(Path(sys.argv[1]))
for round in range(15):
    with store.using():
        digests = [store.put(bytes([n]) * 5000) for n in range(1, 9)]
        assert all(store.get(digest).stat().st_size == 5000 for digest in digests)
    try:
        store.gc([])
    except StoreBusy:
        pass
"""


def test_several_processes_put_and_collect_at_once(store: Store) -> None:
    words = [sys.executable, "-c", MANY, str(store.root)]
    jobs = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [job.communicate()[1] for job in jobs] == ["", "", ""]
    assert [job.returncode for job in jobs] == [0, 0, 0]
    store.gc([])
    assert not partials(store)
    assert not list(store.root.glob("blobs/*/*"))
