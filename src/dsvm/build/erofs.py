"""Freezes a folder as an EROFS layer in the store: the same tree gives the same bytes."""

from __future__ import annotations

import uuid
from pathlib import Path

from dsvm import timing
from dsvm.build.tools_tree import ToolsTree
from dsvm.store import Store

# Every file's time. Byte code remembers its source's time, so it is compiled against this one.
TIMESTAMP = 1_577_836_800  # 2020-01-01


def freeze(tree: Path, key: str, tools: ToolsTree, store: Store, *, owner: int, log: Path) -> str:
    """Put `tree` into the store, all of it owned by user and group `owner`; return the digest.

    Frozen beside the tree, in its scratch folder.

    lz4 in clusters of 64 KiB: read as fast as it is written, two thirds of the size. The file
    system's uuid is made from the layer's key. Raises `ProgramFailed`.
    """
    options = [
        "-zlz4",
        "-C65536",
        f"-T{TIMESTAMP}",
        f"-U{uuid.UUID(key[:32])}",
        f"--force-uid={owner}",
        f"--force-gid={owner}",
        "-x-1",
        "--quiet",
    ]
    frozen = tree.with_name("layer.erofs")
    with timing.step("erofs"):
        tools.run("mkfs.erofs", *options, frozen, tree, log=log)
    return store.put_file(frozen, move=True)
