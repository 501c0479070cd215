"""Measures what torch itself takes once a job begins: `python probe.py ASKED.json RESULT.json`.

torch imports modules late, and pages of its libraries become resident only when they run. Both are
measured by a training step, or a forward pass, of a few thousand numbers.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from pathlib import Path

import torch
from torch import nn

_FIELDS = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)


class Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of glibc 2.33 and later."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


def main(asked_file: str, result_file: str) -> None:
    training = json.loads(Path(asked_file).read_text())["training"]
    result = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "imported": _resident(),
        **_measured(training=training),
    }
    Path(result_file).write_text(json.dumps(result))


def _measured(*, training: bool) -> dict[str, int]:
    """Bytes, above those after the imports: by malloc; resident with products only, with
    convolutions too."""
    heap, resident = _heap(), _resident()
    layer, net = nn.Linear(64, 64), nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8))
    optimizer = torch.optim.Adam(layer.parameters()) if training else None
    with torch.set_grad_enabled(training):
        loss = nn.functional.layer_norm(torch.relu(layer(torch.randn(64, 64))), (64,)).sum()
        if optimizer:
            loss.backward()
            optimizer.step()
        told = {"heap": _heap() - heap, "resident": _resident() - resident}
        loss = net(torch.randn(4, 8, 16, 16)).sum()
        if optimizer:
            loss.backward()
    return {**told, "convolutions": _resident() - resident}


def _heap() -> int:
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Mallinfo
    now = mallinfo()
    return int(now.uordblks + now.hblkhd)


def _resident() -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:3])
