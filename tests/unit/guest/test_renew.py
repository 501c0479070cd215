"""The guest's files are replaced whole, and a kill in between leaves one version or the other."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from dsvm.build import guest_tree
from dsvm.build.guest_tree import Entry
from dsvm.guest.places import CODE, MANIFEST
from dsvm.guest.renew import manifest, renew
from dsvm.guest.system import GuestError


def unpack(folder: Path, entries: list[Entry]) -> Path:
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(guest_tree.tar(entries, (), 0))) as archive:
        archive.extractall(folder, filter="tar")
    return folder


def older(entries: list[Entry]) -> list[Entry]:
    """Another version: one file differs, one is no longer there today, one was not there yet."""
    told = b'{"digest": "old", "files": ["usr/bin/dsvm-guest", "usr/lib/systemd/system/gone"]}'
    found = [Entry(entry.path, told) if entry.path == MANIFEST else entry for entry in entries]
    found = [entry for entry in found if entry.path.name != "dsvm.sh"]
    gone = Entry(PurePosixPath("usr/lib/systemd/system/gone"), b"[Unit]\n")
    first = CODE / "apply.py"
    return [Entry(first, b"old = 1\n") if entry.path == first else entry for entry in found] + [
        gone
    ]


def tree(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            str(path.readlink()) if path.is_symlink() else path.read_bytes(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_another_version_becomes_this_one_file_by_file(tmp_path: Path) -> None:
    entries = guest_tree.entries()
    root = unpack(tmp_path / "root", older(entries))
    (root / "etc/mine").write_text("stays")
    staged = unpack(tmp_path / "staged", entries)

    changed = renew(staged, root)

    assert (root / "etc/mine").read_text() == "stays"
    (root / "etc/mine").unlink()
    assert tree(root) == tree(unpack(tmp_path / "expected", entries))
    assert manifest(root).digest == guest_tree.guest_digest()
    assert not staged.exists()
    assert set(changed) == {str(CODE), "etc/profile.d/dsvm.sh", "usr/lib/systemd/system/gone"}


def test_a_renewal_that_was_killed_before_its_end_is_done_by_the_next(tmp_path: Path) -> None:
    entries = guest_tree.entries()
    root = unpack(tmp_path / "root", older(entries))
    in_the_way = root / "usr/lib/systemd/system/gone"
    in_the_way.unlink()
    in_the_way.mkdir()
    with pytest.raises(IsADirectoryError):
        renew(unpack(tmp_path / "first", entries), root)
    assert manifest(root).digest == "old"
    in_the_way.rmdir()

    renew(unpack(tmp_path / "second", entries), root)

    assert tree(root) == tree(unpack(tmp_path / "expected", entries))


def test_a_folder_that_is_no_guest_changes_nothing(tmp_path: Path) -> None:
    root = unpack(tmp_path / "root", guest_tree.entries())
    before = tree(root)
    (tmp_path / "empty").mkdir()

    with pytest.raises(GuestError):
        renew(tmp_path / "empty", root)

    assert tree(root) == before


def test_a_machine_from_before_has_no_manifest(tmp_path: Path) -> None:
    assert manifest(tmp_path).digest == ""


def test_the_digest_follows_every_byte_and_link() -> None:
    entries = guest_tree.entries()

    assert guest_tree.guest_digest() == guest_tree.guest_digest()
    assert {entry.path for entry in entries} > {CODE / "renew.py", MANIFEST}
