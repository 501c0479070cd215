"""Two processes train on halves of the data by gloo; their weights are those of one process."""

import sys
import time
from pathlib import Path

import dsvm_check
import torch

dsvm_check.lives_in("pytorch")
WORKER = Path(__file__).with_name("train.py")


def torchrun(processes):
    """Train with so many processes; the weights that each of them ended with."""
    dsvm_check.say(
        [
            *(sys.executable, "-m", "torch.distributed.run"),
            *("--nnodes=1", f"--nproc-per-node={processes}", "--rdzv-backend=c10d"),
            *("--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1", str(WORKER)),
        ],
        env={"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
    )
    return [torch.load(f"{rank}-of-{processes}.pt") for rank in range(processes)]


start = time.perf_counter()
(alone,) = torchrun(1)
first, second = torchrun(2)
seconds = time.perf_counter() - start
assert first["processes"] == 2, f"the processes see {first['processes']} of them, not 2"
assert first["pid"] != second["pid"], "both ranks ran in one process"
assert torch.equal(first["weights"], second["weights"]), "the two processes disagree"
differ = float((first["weights"] - alone["weights"]).abs().max())
assert differ < 1e-5, f"its weights differ from those of one process by {differ:.2g}"
moved = float((alone["weights"] - alone["begin"]).abs().max())
assert moved > 0.1, f"the weights moved by {moved:.2g} only: nothing was learned"
assert first["total"] == 3.0, f"the sum over both ranks is {first['total']}, not 3"
dsvm_check.passed(
    difference=differ, both_runs_s=round(seconds, 1), versions={"torch": torch.__version__}
)
