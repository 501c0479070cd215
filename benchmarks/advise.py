"""Memory and time that `dsvm advise` expects, beside what truly happens, on models it never saw.

Usage: python -m benchmarks.advise PYTHON RECORDS

PYTHON has torch; RECORDS is a folder that keeps each measured job, so that a run that was ended
goes on. Jobs in `advise_jobs/development` were used to find the rules and constants of
`dsvm.advise`, those in `advise_jobs/heldout` were not. Each is traced, then run for four steps in a
fresh process with `malloc_counter.c` preloaded, on the CPU.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.support import HERE, Figure, save
from dsvm.advise.calibration import Shelf
from dsvm.advise.memory import SYSTEM, Bounds, Runtime, cpu_memory
from dsvm.advise.steptime import step_time
from dsvm.advise.trace import read_trace
from dsvm.home import Home
from dsvm.sizes import Size, load_sizes

INSIDE = HERE.parent / "src" / "dsvm" / "advise" / "inside"
JOBS = HERE / "advise_jobs"
MIB = 1024**2
LEAST = 256 * MIB
"""An error is told of the truth, or of this, whichever is more."""
SETTINGS = (
    ("adam", "fp32", False, 1),
    ("adamw", "amp", False, 1),
    ("adam", "fp32", True, 3),
    ("sgd", "fp32", False, 2),
    ("adam", "bf16", False, 2),
)
TRACKED = "-adam-fp32-0"
"""The setting in which torch's MemTracker is asked, too."""
BATCHES = {
    "t5": 8, "llama": 4, "swin": 8, "coat": 16, "senet": 4, "contrast": 32, "speech": 8,
    "textcnn": 64, "gat": 32, "nerf": 1024, "detect": 8, "fire": 36, "wide": 28, "shuffle": 28,
    "wordgru": 20, "masked": 10, "linear": 3, "wave": 5, "points": 8, "variational": 32,
    "superres": 3, "factors": 4000,
}  # fmt: skip
TEXT = """\
22 models that no rule and no constant was found on; they were written without sight of the
predictor, and measured once, when all of it was fixed. Each is traced without its tensors and then
run truly for four steps in a fresh process: image, text, speech, graph, point and ray models; five
settings each of optimizer, precision and purpose. 30 other models were used for development.
*Allocator* is the peak of what malloc gave, counted by a preloaded library; *process* the peak of
resident memory above that after the imports. An error is told of the truth or of 256 MiB, whichever
is more. Times were measured on a quiet computer, after `dsvm advise --calibrate`; the shortest of
three steps counts; calibrated again afterwards, operations took 4 % longer at the median, for the
computer is a virtual one. A size fits truly when it has what the process held, its imports, and the
system's share; the cheapest is that of all sizes without a GPU that have a price.
"""


@dataclass(frozen=True)
class Record:
    """One job: what was asked, its trace, what truly happened, and torch's MemTracker if it ran."""

    name: str
    asked: dict[str, Any]
    trace: dict[str, Any]
    truth: dict[str, Any]
    tracker: dict[str, Any] | None


def main(python: str, folder: str) -> None:
    records = Path(folder)
    records.mkdir(parents=True, exist_ok=True)
    runtimes = _runtimes(python, records)
    for name, asked in _jobs():
        _measure(python, records, name, asked)
    rows = [_row(one, runtimes) for one in _read(records)]
    save("advise", "Memory and time before a job runs", TEXT, _figures(rows), jobs=rows)


def _jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for optimizer, precision, inference, times in SETTINGS:
        for model, batch in BATCHES.items():
            asked = {
                "file": str(JOBS / "heldout" / f"{model}.py"),
                "batch": batch * times,
                "optimizer": optimizer,
                "precision": precision,
                "inference": inference,
                "steps": 4,
            }
            yield f"{model}-{optimizer}-{precision}-{int(inference)}", asked


def _measure(python: str, records: Path, name: str, asked: dict[str, Any]) -> None:
    """Trace it, run it, ask the MemTracker; what is there already is kept."""
    given = records / f"{name}.asked.json"
    given.write_text(json.dumps(asked))
    trace, truth, tracker = (
        records / f"{name}.{what}.json" for what in ("trace", "truth", "tracker")
    )
    if not trace.exists():
        program = INSIDE / "advise_worker" / "trace.py"
        subprocess.run([python, "-P", program, given, trace], check=True)
    if not truth.exists():
        counter = _counter(records)
        env = {**os.environ, "LD_PRELOAD": str(counter)}
        argv: list[str | Path] = [python, HERE / "advise_truth.py", INSIDE, given, truth]
        subprocess.run(argv, check=True, env=env)
    if not tracker.exists() and name.endswith(TRACKED):
        subprocess.run([python, HERE / "advise_memtracker.py", INSIDE, given, tracker], check=True)


def _counter(records: Path) -> Path:
    library = records / "malloc_counter.so"
    if not library.exists():
        source = HERE / "malloc_counter.c"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def _runtimes(python: str, records: Path) -> dict[bool, dict[str, int]]:
    """What torch itself takes, by whether it trains: measured as `dsvm advise` does."""
    found = {}
    for training in (True, False):
        asked, result = records / "probe.asked", records / f"probe-{training}"
        if not result.exists():
            asked.write_text(json.dumps({"training": training}))
            program = INSIDE / "advise_worker" / "probe.py"
            subprocess.run([python, "-P", program, asked, result], check=True)
        found[training] = json.loads(result.read_text())
    return found


def _read(records: Path) -> Iterator[Record]:
    for truth in sorted(records.glob("*.truth.json")):
        name = truth.name.removesuffix(".truth.json")
        told = {
            what: json.loads(path.read_text())
            for what in ("asked", "trace", "tracker")
            if (path := records / f"{name}.{what}.json").exists()
        }
        if "trace" in told:
            happened = json.loads(truth.read_text())
            yield Record(name, told["asked"], told["trace"], happened, told.get("tracker"))


def _row(one: Record, runtimes: dict[bool, dict[str, int]]) -> dict[str, Any]:
    """What was expected and what happened; other estimators' figures for the same job."""
    inference = one.asked["inference"]
    truth = {key: one.truth[key] for key in ("heap", "rss", "seconds")}
    if not one.trace["ok"]:
        return {"job": one.name, "refused": one.trace["text"], "truth": truth}
    trace = read_trace(one.trace, inference)
    known = runtimes[not inference]
    convolves = any(op.name.startswith("convolution") for op in trace.operations)
    resident = known["convolutions" if convolves else "resident"]
    memory = cpu_memory(trace, Runtime(known["heap"], resident, known["imported"]), Bounds())
    speeds = Shelf(Home.default()).speeds(trace.torch, trace.threads)
    step = step_time(trace, speeds, memory.fresh)
    size = trace.parameter_bytes
    return {
        "job": one.name,
        "truth": truth,
        "allocator": memory.expected,
        "allocator_upper": memory.upper,
        "process": memory.process_expected,
        "process_upper": memory.process_upper,
        "machine": memory.machine,
        "machine_truth": truth["rss"] + one.truth["rss_imports"] + SYSTEM,
        "step": step.expected,
        "calibrated": step.calibrated,
        "others": {
            "parameters x 4": size * _copies(one.asked),
            "accelerate": size if inference else _accelerate(size, one.asked["precision"]),
            "DeepSpeed ZeRO-2": None if inference else 20 * trace.parameters,
            "MemTracker": one.tracker.get("bytes") if one.tracker else None,
        },
    }


def _copies(asked: dict[str, Any]) -> int:
    """Parameters, gradients, and what the optimizer keeps of each."""
    if asked["inference"]:
        return 1
    return 3 if asked["optimizer"] == "sgd" else 4


def _accelerate(size: int, precision: str) -> int:
    """The largest of what `accelerate estimate-memory` tells for training.

    Source: accelerate 1.15 `commands/estimate.py`, estimate_training_usage. DeepSpeed's is
    `estimate_zero2_model_states_mem_needs` of its documentation: 4 + 16 bytes a parameter on
    one GPU.
    """
    return 4 * size if precision == "fp32" else 2 * size


def _figures(rows: Sequence[dict[str, Any]]) -> list[Figure]:
    known = [row for row in rows if "refused" not in row]
    allocator = sorted(_error(row["allocator"], row["truth"]["heap"]) for row in known)
    process = sorted(_error(row["process"], row["truth"]["rss"]) for row in known)
    above = [row["process_upper"] / row["truth"]["rss"] for row in known]
    covered = 100 * sum(one >= 1 for one in above) / len(above)
    ratios = [row["step"] / row["truth"]["seconds"] for row in known]
    times = sorted(100 * abs(one - 1) for one in ratios)
    within = 100 * sum(0.5 <= one <= 2 for one in ratios) / len(ratios)
    sizes = [one for one in load_sizes(Home.default()).sizes if _priced(one)]
    chosen = [(_cheapest(sizes, r["machine"]), _cheapest(sizes, r["machine_truth"])) for r in known]
    best = 100 * sum(mine.price_hour == true.price_hour for mine, true in chosen) / len(chosen)
    failing = sum(
        r["machine_truth"] > mine.memory for r, (mine, _) in zip(known, chosen, strict=True)
    )
    figures = [
        Figure("jobs that were measured", len(rows), "", 80, at_most=False),
        Figure("jobs that could not be followed", len(rows) - len(known), "", 0),
        Figure("allocator, median error", statistics.median(allocator), "%", 1),
        Figure("allocator, 9 of 10 jobs within", _share(allocator, 0.9), "%", 5),
        Figure("allocator, worst error", allocator[-1], "%", 10),
        Figure("process, median error", statistics.median(process), "%"),
        Figure("process, jobs that the upper bound covers", covered, "%", 98, at_most=False),
        Figure("process, upper bound above the truth, median", 100 * (_mid(above) - 1), "%", 20),
        Figure("step time, median error", statistics.median(times), "%", 12),
        Figure("step time, jobs within 2 x", within, "%", 95, at_most=False),
        Figure("chosen size is the cheapest that truly fits", best, "%", 90, at_most=False),
        Figure("chosen size does not fit", failing, "", 0),
    ]
    for name in known[0]["others"]:
        told = [(r["others"][name], r["truth"]["heap"]) for r in known if r["others"][name]]
        errors = [_error(*one) for one in told]
        if errors:
            what = f"{name}, median error of the allocator ({len(errors)} jobs)"
            figures.append(Figure(what, statistics.median(errors), "%"))
    return figures


def _priced(size: Size) -> bool:
    return not size.accelerator and size.price_hour is not None


def _cheapest(sizes: Sequence[Size], memory: int) -> Size:
    return min((s for s in sizes if s.memory >= memory), key=lambda s: s.price_hour or 0)


def _mid(values: Sequence[float]) -> float:
    return statistics.median(values)


def _error(expected: float, truth: float) -> float:
    return 100 * abs(expected - truth) / max(truth, LEAST)


def _share(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    main(*sys.argv[1:3])
