"""The page of lessons says what came of each, in every language, and loads nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from dsvm.learn import load_lessons
from dsvm.learn.gallery_page import bounds, gallery, rows
from dsvm.learn.model import Demand
from dsvm.learn.shelf import Ran

LESSON = load_lessons()["features"]
RAN = Ran(
    name=LESSON.name,
    at="2026-11-27T12:00:00+00:00",
    outcome="passed",
    device="cpu",
    seconds=12.3,
    results={
        "accuracy, by hand": 0.9412,
        "accuracy, by hand, spread": 0.0071,
        "a tag": "<b>bold</b>",
    },
    figures=("data:image/png;base64,AAAA", "data:image/png;base64,BBBB"),
)


class Seen(HTMLParser):
    """The tags and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]


def page(ran: Ran | None = RAN, tools: tuple[str, ...] = ("python",)) -> str:
    return gallery("lab", tools, {ran.name: ran} if ran else {})


def test_a_spread_stands_beside_its_result() -> None:
    first, second = rows(LESSON, RAN.results)

    assert (first.name.en, first.value.en, first.spread) == (
        "accuracy, by hand",
        "0.9412",
        "± 0.0071",
    )
    assert first.bounds
    assert first.bounds.en == "at least 0.9"
    assert (second.name.ko, second.spread, second.bounds) == ("a tag", "", None)


@pytest.mark.parametrize(
    ("least", "most", "en", "ko"),
    [
        (None, 2.0, "at most 2", "2 이하"),
        (1.0, None, "at least 1", "1 이상"),
        (1.0, 2.0, "1 to 2", "1에서 2까지"),
        (3.0, 3.0, "exactly 3", "정확히 3"),
    ],
)
def test_bounds_in_words(least: float | None, most: float | None, en: str, ko: str) -> None:
    told = bounds(Demand(name="it", least=least, most=most))

    assert (told.en, told.ko) == (en, ko)


def test_it_has_both_languages_and_no_script_and_loads_nothing() -> None:
    seen = Seen(page())

    assert "script" not in seen.tags
    assert all(one.startswith(("#", "data:image/png;base64,")) for one in seen.addresses)
    assert page().count('lang="ko"') == page().count('<span lang="en"')
    assert LESSON.title.ko in page()


def test_what_a_lesson_told_is_text() -> None:
    assert "<b>bold</b>" not in page()
    assert "&lt;b&gt;bold&lt;/b&gt;" in page()


def test_captions_are_left_out_where_a_picture_is_missing() -> None:
    assert LESSON.figure[0].caption.en not in page()
    whole = RAN.model_copy(update={"figures": RAN.figures[:1] * len(LESSON.figure)})

    assert all(one.caption.en in page(whole) for one in LESSON.figure)


def test_a_lesson_that_did_not_run_says_what_is_to_be_done() -> None:
    assert "Not run on this machine yet." in page(None)
    assert re.search(r"dsvm add [\w ,-]*postgresql", page(None))
    assert "dsvm add python" in page(None, tools=())
