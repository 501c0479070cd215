"""The answer of `dsvm advise`, as JSON that stays the same and as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsvm.advise.choose import GPU_START_S, Fit, crossing
from dsvm.advise.estimate import Estimate
from dsvm.advise.memory import Memory
from dsvm.console import size
from dsvm.console import span as long_span


def as_json(found: Estimate, steps: int | None = None) -> dict[str, Any]:
    """The stable form. Bytes, seconds, US dollars."""
    choice = found.choice
    return {
        "job": found.job,
        **_memory(found.memory),
        "step_seconds": vars(found.step) if found.step else None,
        "sizes": [_size(one) for one in choice.all],
        "chosen": _name(choice.cheapest),
        "fastest": _name(choice.fastest),
        "best_for_the_money": _name(choice.best),
        "other_device": [_size(one) for one in found.other.all],
        "gpu_pays_after_seconds": pays_after(found),
        "job_seconds": found.step.expected * steps if found.step and steps else None,
        "changes": [vars(one) for one in found.changes],
        "not_modelled": list(found.not_modelled),
    }


def _memory(memory: Memory) -> dict[str, Any]:
    return {
        "memory": {
            "expected_bytes": memory.expected,
            "upper_bytes": memory.upper,
            "parts": memory.parts,
        },
        "process": {
            "expected_bytes": memory.process_expected,
            "upper_bytes": memory.process_upper,
        },
        "machine_bytes": memory.machine,
    }


def _size(one: Fit) -> dict[str, Any]:
    return {
        "name": one.size.name,
        "provider": one.size.provider,
        "accelerator": one.size.accelerator,
        "fits": one.fits,
        "price_hour": one.size.price_hour,
        "step_seconds": one.step,
    }


def _name(one: Fit | None) -> str | None:
    return one.size.name if one else None


def pays_after(found: Estimate) -> float | None:
    """Seconds of work on the chosen CPU from which the fastest GPU is done earlier."""
    if found.job.get("device") == "cuda":
        return crossing(found.other.cheapest, found.choice.fastest)
    return crossing(found.choice.cheapest, found.other.fastest)


MEMORY_COLUMNS = ("MEMORY", "EXPECTED", "AT MOST")
CHANGE_COLUMNS = ("CHANGE", "MACHINE", "TIME")


def memory_rows(memory: Memory) -> Sequence[dict[str, str]]:
    """The three figures and the parts of the first, for a table."""
    told = [
        ("allocator", memory.expected, memory.upper),
        *((f"  {part}", count, None) for part, count in memory.parts.items()),
        ("process", memory.process_expected, memory.process_upper),
        ("machine", None, memory.machine),
    ]
    return [
        {
            "MEMORY": name,
            "EXPECTED": size(expected) if expected is not None else "",
            "AT MOST": size(upper) if upper is not None else "",
        }
        for name, expected, upper in told
    ]


SIZE_COLUMNS = ("FOR", "SIZE", "PROVIDER", "CPUS", "MEMORY", "GPU", "$/HOUR", "ONE STEP")


def size_rows(found: Estimate) -> list[dict[str, str]]:
    """The sizes that are advised, and the cheapest of the other device."""
    choice = found.choice
    named = [
        ("cheapest", choice.cheapest),
        ("fastest", choice.fastest),
        ("best for the money", choice.best),
        ("cheapest with a GPU" if _on_cpu(found) else "cheapest without", found.other.cheapest),
    ]
    return [_row(why, one) for why, one in named if one]


def _row(why: str, one: Fit) -> dict[str, str]:
    price = one.size.price_hour
    return {
        "FOR": why,
        "SIZE": one.size.name,
        "PROVIDER": one.size.provider,
        "CPUS": str(one.size.cpus),
        "MEMORY": size(one.size.memory),
        "GPU": one.size.accelerator or "-",
        "$/HOUR": "-" if price is None else f"{price:.3f}",
        "ONE STEP": "not known" if one.step is None else span(one.step),
    }


def change_rows(found: Estimate) -> list[dict[str, str]]:
    """What would make the job smaller, and the time of the same examples then."""
    rows = []
    for one in found.changes:
        least, most = one.times or (0, 0)
        times = f"x {least:.2f}" if least == most else f"x {least:.2f} to {most:.2f}"
        told = times if one.times else "not known"
        rows.append({"CHANGE": one.what, "MACHINE": size(one.machine), "TIME": told})
    return rows


def sentences(found: Estimate, steps: int | None = None) -> list[str]:
    """What it comes to, in plain words."""
    memory, told = found.memory, []
    chosen = found.choice.cheapest
    if chosen:
        told.append(
            f"the job needs a machine with {size(memory.machine)}: `{chosen.size.name}` is the "
            "cheapest that has it"
        )
    else:
        told.append(f"no known size has the {size(memory.machine)} that the job needs")
    if found.step:
        how = "calibrated on this processor" if found.step.calibrated else "uncalibrated"
        told.append(
            f"one step takes about {span(found.step.expected)}, between {span(found.step.low)} "
            f"and {span(found.step.high)} ({how})"
        )
    if steps and chosen and chosen.step is not None and chosen.size.price_hour is not None:
        seconds = chosen.step * steps
        price = seconds / 3600 * chosen.size.price_hour
        told.append(f"{steps} steps on it take about {span(seconds)} and cost {price:.2f} $")
    after = pays_after(found)
    if after is not None:
        told.append(
            f"a GPU is done earlier once the CPU would work longer than {span(after)} "
            f"(its start of {span(GPU_START_S)} counted; its speed from published peaks)"
        )
    told.append(f"not modelled: {', '.join(found.not_modelled)}")
    return told


def span(seconds: float) -> str:
    """A length of time; a step is often shorter than a tenth of a second."""
    return f"{1000 * seconds:.2g} ms" if seconds < 0.1 else long_span(seconds)


def _on_cpu(found: Estimate) -> bool:
    return found.job.get("device") != "cuda"
