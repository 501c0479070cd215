"""Folders that a machine's file system gets for what of the host is shown in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dsvm.engines.nspawn.mounts import make_place

PERSON = 1000


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user")
def test_new_folders_belong_to_whom_the_folder_around_them_belongs(tmp_path: Path) -> None:
    home = tmp_path / "home/ds"
    home.mkdir(parents=True)
    os.chown(home, PERSON, PERSON)
    before = os.umask(0o077)
    try:
        make_place(tmp_path, "/home/ds/host/shown")
        make_place(tmp_path, "/data")
    finally:
        os.umask(before)

    states = [(home / "host").stat(), (home / "host/shown").stat(), (tmp_path / "data").stat()]
    assert [state.st_uid for state in states] == [PERSON, PERSON, 0]
    assert [state.st_gid for state in states] == [PERSON, PERSON, 0]
    assert {state.st_mode & 0o777 for state in states} == {0o755}


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir(mode=0o700)
    make_place(tmp_path, "/kept/new")

    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "kept/new").is_dir()


def test_no_link_leads_out_of_the_file_system(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    tree.mkdir()
    outside.mkdir()
    (tree / "way").symlink_to(outside)
    (tree / "file").touch()

    make_place(tree, "/way/made")
    make_place(tree, "/file/made")

    assert not list(outside.iterdir())


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    make_place(tmp_path, "/a/b/c")
    make_place(tmp_path, "/a/b/c/d")

    assert len(list(Path("/proc/self/fd").iterdir())) == before
