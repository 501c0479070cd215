"""The guest's tar: what it holds, and that nothing of the checkout shows in it."""

from __future__ import annotations

import io
import tarfile
from pathlib import PurePosixPath

from dsvm.build import guest_tree
from dsvm.build.guest_tree import Entry

TIME = 1_700_000_000


def members(entries: list[Entry], present: frozenset[str] = frozenset()) -> list[tarfile.TarInfo]:
    return tarfile.open(fileobj=io.BytesIO(guest_tree.tar(entries, present, TIME))).getmembers()


def test_the_guest_package_is_importable_from_usr_lib() -> None:
    paths = {str(entry.path) for entry in guest_tree.entries()}

    assert {"usr/lib/dsvm/guest/__init__.py", "usr/lib/dsvm/guest/__main__.py"} <= paths
    assert not any("__pycache__" in path or "/guest/files/" in path for path in paths)


def test_units_with_an_install_section_are_enabled() -> None:
    links = {str(entry.path): entry.link for entry in guest_tree.entries() if entry.link}

    enabled = "etc/systemd/system/multi-user.target.wants/dsvm-guest.service"
    assert links[enabled] == "/usr/lib/systemd/system/dsvm-guest.service"


def test_folders_that_the_os_tree_has_are_left_to_it() -> None:
    entry = Entry(PurePosixPath("usr/lib/new/file"), b"x")
    found = members([entry], frozenset({"usr", "usr/lib"}))

    assert [member.name for member in found] == ["./usr/lib/new", "./usr/lib/new/file"]


def test_modes_owners_and_times_come_from_nowhere_but_the_content() -> None:
    entries = [
        Entry(PurePosixPath("usr/bin/tool"), b"#!/bin/sh\n"),
        Entry(PurePosixPath("etc/setting"), b"x"),
        Entry(PurePosixPath("etc/sudoers.d/rule"), b"x"),
    ]
    modes = {member.name: member.mode for member in members(entries) if member.isfile()}

    assert modes == {"./usr/bin/tool": 0o755, "./etc/setting": 0o644, "./etc/sudoers.d/rule": 0o440}
    assert {(m.uid, m.gid, m.mtime) for m in members(entries)} == {(0, 0, TIME)}
