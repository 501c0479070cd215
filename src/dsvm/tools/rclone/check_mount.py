"""Mounts a bucket of a local S3 server: reads the same bytes, and what it writes gets there."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import dsvm_check
from storage import FILES, SETTING, rclone, same, served, tree, written

dsvm_check.lives_in("rclone")
LARGE = "folder/large.bin"
NO_DEVICE = "fuse device not found"


@contextmanager
def mounted(folder):
    """Show the bucket at the folder; ends the check if that cannot be."""
    folder.mkdir()
    log = Path("mount.log")
    words = ["rclone", "mount", "s3:bucket", str(folder), "--vfs-cache-mode", "writes"]
    words += ["--vfs-write-back", "0s", "--cache-dir", str(Path.cwd() / "cache")]
    with log.open("wb") as said:
        process = subprocess.Popen(words, stdout=said, stderr=said, env={**os.environ, **SETTING})
    until = time.monotonic() + 60
    while not os.path.ismount(folder):
        told = log.read_text().strip()
        if process.poll() is not None and NO_DEVICE in told:
            print(f"the machine has no /dev/fuse: {told.splitlines()[0]}")
            sys.exit(77)
        if process.poll() is not None or time.monotonic() > until:
            sys.exit(f"rclone mount does not show the bucket: {told[-1000:]}")
        time.sleep(0.1)
    try:
        yield
    finally:
        subprocess.run(["fusermount3", "-u", str(folder)], check=False)
        process.wait(60)


seen = Path("seen")
with served("bucket"):
    rclone("copy", str(written(Path("source"))), "s3:bucket")
    with mounted(seen):
        same("the mounted bucket", tree(seen))
        (seen / "written").write_bytes(FILES[LARGE])
        (seen / "small.txt").unlink()
    assert not list(seen.iterdir()), "the bucket is still mounted"
    rclone("copyto", "s3:bucket/written", "fetched")
    listed = sorted(rclone("lsf", "-R", "--files-only", "s3:bucket").splitlines())
assert Path("fetched").read_bytes() == FILES[LARGE], "the mount wrote other bytes"
wanted = sorted({*FILES, "written"} - {"small.txt"})
assert listed == wanted, f"after the mount the bucket has {listed}"
dsvm_check.passed(bytes=sum(map(len, FILES.values())))
