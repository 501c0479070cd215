"""Writes docs/benchmarks.md and its plots from benchmarks/results/*.json; measures nothing.

Usage: python -m benchmarks.page

The same results give the same bytes, so a test can tell a page that is stale.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import plots
from benchmarks.support import HERE, RESULTS

DOCS = HERE.parent / "docs"
PAGE = "benchmarks.md"
# In this order on the page. Each is written by the benchmark of that name.
ORDER = (
    *("rivals", "full", "start", "moves", "variants", "growth", "layered", "lessons", "models"),
    *("advise", "advise_tables"),
)
Result = Mapping[str, Any]
HEAD = """\
# How fast it is

Written by `python -m benchmarks.page` from `benchmarks/results`; do not edit. Measure anew with
`python -m benchmarks.run_all` (root, two quiet CPUs, under half an hour).

Ratios compare runs beside each other on one computer, in turns. A value is the median of all
rounds, a ratio's that of the ratios of each round; beside it stands the range. Absolute times
depend on the computer. A target that was missed says so.
"""


def main() -> None:
    for name, content in pages(read_results()).items():
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(content)


def read_results(folder: Path = RESULTS) -> dict[str, Result]:
    found = {name: folder / f"{name}.json" for name in ORDER}
    return {name: json.loads(file.read_text()) for name, file in found.items() if file.exists()}


def pages(results: Mapping[str, Result]) -> dict[str, str]:
    """The page and its plots: content by path below docs/."""
    drawn = {
        f"pictures/benchmark-{name}.svg": plots.DRAWN[name](result)
        for name, result in results.items()
        if name in plots.DRAWN
    }
    sections = [_section(name, result) for name, result in results.items()]
    return {PAGE: "\n".join([HEAD, *sections]), **drawn}


def _section(name: str, result: Result) -> str:
    lines = [f"## {result['title']}", "", result["text"].rstrip(), "", *_table(result["figures"])]
    if name in plots.DRAWN:
        lines += ["", f"![{result['title']}](pictures/benchmark-{name}.svg)"]
    if "runs" in result:
        lines += ["", *_runs(result["runs"])]
    if "results" in result:
        lines += ["", *_results(result["results"])]
    if "locking" in result:
        lines += ["", "### Where the time of a cold build goes", "", *_profile(result)]
    elif "layers" in result:
        lines += ["", *_layers(result["layers"])]
    lines += ["", f"Measured {result['at']}: {_host(result['host'])}."]
    return "\n".join(lines) + "\n"


def _table(figures: list[Result]) -> Iterator[str]:
    yield "| figure | value | range | target | |"
    yield "|---|--:|--:|--:|---|"
    for one in figures:
        value, spread = _number(one["value"], one["unit"]), _range(one["values"])
        yield f"| {one['what']} | {value} | {spread} | {_target(one)} | {_met(one)} |"


def _runs(runs: Mapping[str, list[Result]]) -> Iterator[str]:
    yield "| run | seconds, median | range | CPU seconds | then `sync` | runs |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, taken in runs.items():
        seconds = [one["seconds"] for one in taken]
        cpu = [one["cpu"] for one in taken if one["cpu"] is not None]
        sync = [one["sync"] for one in taken if one["cpu"] is not None]
        yield (
            f"| {name} | {statistics.median(seconds):.2f} | {_range(seconds)} | {_middle(cpu)} "
            f"| {_middle(sync)} | {len(taken)} |"
        )


def _results(results: list[Result]) -> Iterator[str]:
    yield "| lesson | result | median | range | demanded |"
    yield "|---|---|--:|--:|---|"
    for one in results:
        values, (least, most) = one["values"], one["bounds"]
        spread = f"{min(values):.4g} to {max(values):.4g}" if len(values) > 1 else ""
        told = [f"at least {least:.4g}"] if least is not None else []
        told += [f"at most {most:.4g}"] if most is not None else []
        yield (
            f"| {one['lesson']} | {one['name']} | {statistics.median(values):.4g} | {spread} "
            f"| {', '.join(told)} |"
        )


def _profile(result: Result) -> Iterator[str]:
    """Layers are built beside each other, so their seconds add up to more than the build's."""
    locking = result["locking"]
    yield (
        f"Locking took {locking['lock']:.1f} s with the indexes in the cache, and seeing that all "
        f"{result['packages']} files are there {locking['fetch']:.1f} s. Of the build, seconds of "
        "the last round; layers are built beside each other, byte code that an earlier one made is "
        "taken from the store:"
    )
    yield ""
    yield "| layer | MiB | seconds | of these |"
    yield "|---|--:|--:|---|"
    for layer in result["layers"]:
        steps = sorted(layer["steps"].items(), key=lambda item: -item[1])
        said = ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps)
        size, seconds = layer["bytes"] / 2**20, layer["seconds"]
        yield f"| {layer['name']} | {size:.0f} | {seconds:.1f} | {said} |"


def _layers(layers: list[Result]) -> Iterator[str]:
    yield "| layer | MiB |"
    yield "|---|--:|"
    for layer in layers:
        yield f"| {layer['name']} | {layer['bytes'] / 2**20:.0f} |"


def _number(value: float, unit: str) -> str:
    return f"{value:.2f}" if unit == "exponent" else f"{value:.2f} {unit}"


def _range(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}" if len(values) > 1 else ""


def _middle(values: list[float]) -> str:
    return f"{statistics.median(values):.1f}" if values else ""


def _target(one: Result) -> str:
    if one["target"] is None:
        return ""
    return f"{'at most' if one['at_most'] else 'at least'} {one['target']:g}"


def _met(one: Result) -> str:
    return {None: "", True: "met", False: "**missed**"}[one["met"]]


def _host(host: Result) -> str:
    busy = f", load average {host['load']:g} at the end" if host["load"] is not None else ""
    return (
        f"{host['cpus']} CPUs, {host['memory_gib']} GiB of memory, {host['system']}, "
        f"Linux {host['kernel']}, {'KVM' if host['kvm'] else 'no KVM'}{busy}"
    )


if __name__ == "__main__":
    main()
