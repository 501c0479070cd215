"""What every lesson must be, and which of its results hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.errors import UsageError
from dsvm.learn import Lesson, load_lessons
from dsvm.learn.lessons import lesson
from dsvm.learn.model import LANGUAGES, Demand
from dsvm.learn.notebook import cells, lesson_files
from dsvm.models import load_models


@pytest.fixture(params=load_lessons().values(), ids=lambda one: one.name)
def each(request: pytest.FixtureRequest) -> Lesson:
    found: Lesson = request.param
    return found


def test_it_runs_in_an_environment_of_its_tools(each: Lesson) -> None:
    tools = [load_catalog().tool(name) for name in each.tools]

    assert each.environment in [tool.lives_in for tool in tools]


def test_every_text_is_there_in_every_language(each: Lesson) -> None:
    script = (each.folder / "lesson.py").read_text("utf-8")
    told = [cell.language for cell in cells(script) if cell.language]

    assert told == list(LANGUAGES) * (len(told) // len(LANGUAGES))
    assert told


def test_every_result_that_is_demanded_is_told(each: Lesson) -> None:
    assert each.fault({}) == "; ".join(f"`{one.name}` is not told" for one in each.result)
    assert all(one.least is not None or one.most is not None for one in each.result)


def test_every_picture_that_is_explained_is_drawn(each: Lesson) -> None:
    code = "".join(file.read_text("utf-8") for file in each.folder.glob("*.py"))
    code += "".join(file.read_text("utf-8") for file in each.folder.glob("*.R"))

    assert [one.file for one in each.figure if f'"{one.file}"' not in code] == []


def test_a_machine_has_its_script_and_a_notebook_in_each_language(each: Lesson) -> None:
    names = {path.name for path, _ in lesson_files() if path.parent.name == each.name}

    assert names >= {"lesson.py", f"{each.name}.ipynb", f"{each.name}.ko.ipynb"}


def test_lessons_of_the_same_place_follow_by_name(tmp_path: Path) -> None:
    price = load_lessons()["price"].folder
    for name in ("second", "first", "third"):
        shutil.copytree(price, tmp_path / name)
    features = shutil.copytree(load_lessons()["features"].folder, tmp_path / "zero")

    assert list(load_lessons(tmp_path)) == [features.name, "first", "second", "third"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (0.5, None),
        (0.1, None),
        (0.09, "`it` is 0.09, at least 0.1 is demanded"),
        (0.91, "`it` is 0.91, at most 0.9 is demanded"),
        (None, "`it` is not told"),
        (True, "`it` is not told"),
        ("0.5", "`it` is not told"),
    ],
)
def test_a_result_holds_within_its_bounds(value: object, fault: str | None) -> None:
    assert Demand(name="it", least=0.1, most=0.9).fault(value) == fault


def test_an_unknown_lesson_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no lesson `nosuch`") as unknown:
        lesson("nosuch")
    assert "features" in (unknown.value.remedy or "")


def test_its_models_are_those_of_the_catalog(each: Lesson) -> None:
    assert set(each.models) <= set(load_models())


def test_what_brings_a_lesson_s_tools_and_models_is_told() -> None:
    models = lesson("models")

    assert models.needs[:2] == ["python", "model-magika"]
    assert models.adding(models.needs[:2]) == "`dsvm add python` and `dsvm models add magika`"
    assert models.adding(["model-dnsmos"]) == "`dsvm models add dnsmos`"
