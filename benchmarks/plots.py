"""The plots of the page of benchmarks, as SVG: the same results give the same bytes."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Result = Mapping[str, Any]
COLOURS = {"dsvm": "#1b6ac9", "bare": "#8a8f98", "OCI": "#d98324", "first": "#7b4fa3"}
LINES = {"ls": "#1b6ac9", "up": "#d98324", "gc": "#2c8a4b"}
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "dsvm",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}


def rivals(result: Result) -> str:
    """A panel for each situation; bars are medians, whiskers the range."""
    panels = ("cold", "one requirement changed", "a second machine")
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(9, 5))
        axes = figure.subplots(len(panels), 1, gridspec_kw={"height_ratios": [4, 3, 3]})
        for panel, what in zip(axes, panels, strict=True):
            runs = {
                name.partition(":")[0]: [one["seconds"] for one in taken]
                for name, taken in result["runs"].items()
                if name.endswith(f": {what}") or name == "first boot: cold"
            }
            _bars(panel, runs, what)
        axes[-1].set_xlabel("seconds, less is better")
        return _svg(figure)


def start(result: Result) -> str:
    runs = {name: [one["seconds"] for one in taken] for name, taken in result["runs"].items()}
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(9, 2.6))
        quick, slow = figure.subplots(1, 2)
        _bars(quick, {k: v for k, v in runs.items() if "emulated" not in k}, "native")
        _bars(slow, {k: v for k, v in runs.items() if "emulated" in k}, "emulated")
        figure.supxlabel("seconds, less is better")
        return _svg(figure)


def growth(result: Result) -> str:
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(9, 3))
        axes = figure.subplots(1, len(result["points"]), sharey=True)
        for panel, (what, commands) in zip(axes, result["points"].items(), strict=True):
            for command, points in commands.items():
                counts, seconds = zip(*points, strict=True)
                panel.plot(counts, seconds, "o-", color=LINES[command], label=command)
            panel.set_xlabel(what)
            panel.set_ylim(bottom=0)
        axes[0].set_ylabel("seconds")
        axes[0].legend(frameon=False)
        return _svg(figure)


DRAWN: dict[str, Callable[[Result], str]] = {"rivals": rivals, "start": start, "growth": growth}


def _bars(panel: Axes, runs: Mapping[str, list[float]], title: str) -> None:
    names = [*runs][::-1]
    middle = [statistics.median(runs[name]) for name in names]
    below = [value - min(runs[name]) for name, value in zip(names, middle, strict=True)]
    above = [max(runs[name]) - value for name, value in zip(names, middle, strict=True)]
    colours = [COLOURS.get(name.split()[0], COLOURS["dsvm"]) for name in names]
    panel.barh(names, middle, xerr=[below, above], color=colours, height=0.6)
    for row, value in enumerate(middle):
        panel.annotate(
            f"{value:.1f}" if value >= 1 else f"{value:.2f}",
            (max(runs[names[row]]), row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
        )
    panel.set_title(title, loc="left", fontsize=9)


def _svg(figure: Figure) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"
