"""Copies a tree to a local S3 server and back again: the same bytes."""

import time
from importlib.metadata import version
from pathlib import Path

import dsvm_check
from storage import FILES, rclone, same, served, tree, written

dsvm_check.lives_in("rclone")
source, back = written(Path("source")), Path("back")
with served("bucket"):
    begin = time.perf_counter()
    rclone("copy", str(source), "s3:bucket")
    rclone("check", "--download", str(source), "s3:bucket")
    rclone("copy", "s3:bucket", str(back))
    seconds = time.perf_counter() - begin
    same("what was copied back", tree(back))
    (source / "small.txt").write_bytes(b"changed\n")
    (source / "empty").unlink()
    rclone("sync", str(source), "s3:bucket")
    listed = sorted(rclone("lsf", "-R", "--files-only", "s3:bucket").splitlines())
    changed = rclone("cat", "s3:bucket/small.txt")
assert listed == sorted({*FILES} - {"empty"}), f"after the sync the bucket has {listed}"
assert changed == "changed\n", f"after the sync the changed file is {changed!r}"
dsvm_check.passed(
    seconds=round(seconds, 2),
    bytes=sum(map(len, FILES.values())),
    versions={"rclone": rclone("version").split()[1], "moto": version("moto")},
)
