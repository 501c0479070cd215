"""The picture of a job: memory over its step, stacked by part, with a size's limit as a line."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import accumulate

from dsvm.advise.memory import PARTS, Point
from dsvm.console import size

WIDE, HIGH = 860, 380
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 40, 70
COLOURS = {
    "parameters": "#4477aa", "gradients": "#66ccee", "optimizer": "#228833",
    "activations": "#ccbb44", "scratch": "#ee6677", "runtime": "#bbbbbb",
}  # fmt: skip
"""Paul Tol's bright scheme, which colour-blind people can tell apart."""
ORDER = ("runtime", "parameters", "optimizer", "gradients", "activations", "scratch")


def picture(curve: Sequence[Point], title: str, limit: int | None, limit_name: str) -> str:
    """An SVG of the allocator's memory from the job's beginning through two steps."""
    most = max([one.total for one in curve] + [1])
    top = most * 1.08
    shown = limit if limit is not None and limit <= 4 * most else None
    top = max(top, (shown or 0) * 1.05)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" role="img" '
        f'font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDE}" height="{HIGH}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
        *_axis(top),
        *_areas(curve, top),
        *_phases(curve),
        *_legend(),
    ]
    if shown is not None:
        at = _y(shown, top)
        parts += [
            f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#aa3377" '
            'stroke-width="2" stroke-dasharray="6 4"/>',
            f'<text x="{WIDE - RIGHT}" y="{at - 5:.1f}" text-anchor="end" fill="#aa3377">'
            f"{escape(limit_name)}: {size(shown)}</text>",
        ]
    elif limit is not None:
        parts.append(
            f'<text x="{WIDE - RIGHT}" y="22" text-anchor="end" fill="#aa3377">'
            f"{escape(limit_name)}: {size(limit)}, far above</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def _x(at: int, count: int) -> float:
    return LEFT + (WIDE - LEFT - RIGHT) * at / max(1, count - 1)


def _y(value: float, top: float) -> float:
    return HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * value / top


def _axis(top: float) -> list[str]:
    drawn = []
    for quarter in range(5):
        value = top * quarter / 4
        at = _y(value, top)
        drawn.append(
            f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{size(value)}</text>'
        )
    return drawn


def _areas(curve: Sequence[Point], top: float) -> list[str]:
    stacks = [list(accumulate(one.parts.get(part, 0) for part in ORDER)) for one in curve]
    count, areas = len(curve), []
    for place, part in enumerate(ORDER):
        upper = [(_x(at, count), _y(stack[place], top)) for at, stack in enumerate(stacks)]
        lower = [
            (_x(at, count), _y(stack[place - 1] if place else 0, top))
            for at, stack in enumerate(stacks)
        ]
        around = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
        areas.append(f'<polygon points="{around}" fill="{COLOURS[part]}"/>')
    return areas


def _phases(curve: Sequence[Point]) -> list[str]:
    """A mark where a phase begins; its name where there is room."""
    drawn, last = [], -1e9
    before = ""
    for at, one in enumerate(curve):
        if one.phase == before:
            continue
        before, x = one.phase, _x(at, len(curve))
        low = HIGH - BOTTOM
        drawn.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low}" y2="{low + 5}" stroke="#555"/>')
        if x - last > 58:
            drawn.append(f'<text x="{x:.1f}" y="{low + 18}" fill="#555">{escape(one.phase)}</text>')
            last = x
    return drawn


def _legend() -> list[str]:
    drawn = []
    for place, part in enumerate(PARTS):
        x = LEFT + 125 * place
        drawn.append(
            f'<rect x="{x}" y="{HIGH - 30}" width="12" height="12" fill="{COLOURS[part]}"/>'
            f'<text x="{x + 17}" y="{HIGH - 20}">{part}</text>'
        )
    return drawn
