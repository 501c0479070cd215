"""A local S3 server, and rclone told of it as `s3:`; what the checks of this tool share."""

import os
import sys
from contextlib import contextmanager

import dsvm_check

MIB = 2**20
port = dsvm_check.free_port()
address = f"http://127.0.0.1:{port}"
# A remote of its own, by variables: a person's configuration is not read.
SETTING = {
    "RCLONE_CONFIG": "/dev/null",
    "RCLONE_CONFIG_S3_TYPE": "s3",
    "RCLONE_CONFIG_S3_PROVIDER": "Other",
    "RCLONE_CONFIG_S3_ENDPOINT": address,
    "RCLONE_CONFIG_S3_REGION": "eu-north-1",
    "RCLONE_CONFIG_S3_ACCESS_KEY_ID": "check",
    "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "made for this check",
    "RCLONE_S3_UPLOAD_CUTOFF": "5Mi",
    "RCLONE_S3_CHUNK_SIZE": "5Mi",
    "NO_PROXY": "127.0.0.1",
}
FILES = {
    "small.txt": b"forty-two\n",
    "empty": b"",
    "folder/grüße aus Köln.bin": os.urandom(300_000),
    # Larger than the cutoff: it goes up in parts.
    "folder/large.bin": os.urandom(12 * MIB),
}


def rclone(*words):
    return dsvm_check.say(["rclone", *words], env=SETTING)


def tree(folder):
    """The files below a folder with their bytes."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def same(where, found):
    assert found == FILES, (
        f"{where} has other bytes: { {name: len(data) for name, data in found.items()} }"
    )


@contextmanager
def served(bucket):
    """Serve S3 with an empty bucket until the block ends."""
    argv = [f"{sys.prefix}/bin/moto_server", "-H", "127.0.0.1", "-p", str(port)]
    with dsvm_check.server(argv, f"{address}/moto-api/"):
        rclone("mkdir", f"s3:{bucket}")
        yield


def written(folder):
    """The known files below that folder."""
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
