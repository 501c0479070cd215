"""The picture of memory over a step."""

from __future__ import annotations

from xml.etree import ElementTree

from dsvm.advise.memory import Point
from dsvm.advise.picture import ORDER, picture

GIB = 1024**3
CURVE = [Point(phase, {"parameters": GIB, "activations": n * GIB}) for n, phase in enumerate("ab")]


def test_it_stacks_every_part_and_draws_the_limit() -> None:
    drawn = ElementTree.fromstring(picture(CURVE, "a <job>", 3 * GIB, "small"))

    texts = ["".join(one.itertext()) for one in drawn.iter()]
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}polygon"))) == len(ORDER)
    assert "small: 3.0 GiB" in texts
    assert "a <job>" in texts


def test_a_limit_far_above_is_told_not_drawn() -> None:
    drawn = picture(CURVE, "job", 900 * GIB, "huge")

    assert "huge: 900.0 GiB, far above" in drawn
    assert "stroke-dasharray" not in drawn
