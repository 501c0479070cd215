"""Runs the worker's programs inside a machine, with an environment that the machine has."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from dsvm.advise.work import INSIDE, Limits
from dsvm.errors import DsvmError
from dsvm.machines.machine import Machine
from dsvm.machines.ssh import RemoteFailed

ENVIRONMENT = "pytorch"
SCRIPT = r"""
set -e
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
tar -x --no-same-owner -f - -C "$folder"
cd "$folder"
export HOME="$folder" TMPDIR="$folder" PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1
prlimit --data="$3" --fsize="$4" --core=0 -- timeout -k 2 "$5" \
    "/opt/dsvm/envs/$1/bin/python" -P "inside/advise_worker/$2.py" asked.json result.json \
    > said 2>&1 < /dev/null || { status=$?; tail -c 2000 said >&2; exit "$status"; }
cat result.json
"""
LATE = 124


def run_inside(
    machine: Machine,
    environment: str,
    source: Path | None,
    limits: Limits,
    program: str,
    asked: dict[str, Any],
) -> dict[str, Any]:
    """Run a program of the worker in the machine; its result. Raises `DsvmError`.

    `source` is the file of the job: it and the Python files beside it go along.
    """
    told = {**asked}
    files = {}
    if source is not None:
        beside = [source, *source.parent.glob("*.py")]
        files = {f"job/{one.name}": one for one in beside}
        told |= {key: f"job/{source.name}" for key in ("file", "config", "onnx") if key in asked}
    tarred = _tar(files, json.dumps(told).encode())
    words = [environment, program, str(limits.memory), str(limits.file), str(limits.seconds)]
    try:
        done = machine.ssh.run_bytes(["sh", "-c", SCRIPT, "advise", *words], stdin=tarred)
    except RemoteFailed as failed:
        if failed.returncode == LATE:
            raise DsvmError(
                f"the job did not end within {limits.seconds:.0f} s",
                remedy="model(), batch() and loss() must return; --time-limit gives them longer",
            ) from None
        raise
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _tar(files: dict[str, Path], asked: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for one in sorted(INSIDE.rglob("*.py")):
            tar.add(one, f"inside/{one.relative_to(INSIDE)}")
        for name, path in files.items():
            tar.add(path, name)
        head = tarfile.TarInfo("asked.json")
        head.size = len(asked)
        tar.addfile(head, io.BytesIO(asked))
    return out.getvalue()
