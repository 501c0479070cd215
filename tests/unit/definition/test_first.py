"""A first dsvm.toml, its schema, and careful changes of it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from dsvm.definition import Definition, find, json_schema, read, template
from dsvm.definition.edit import add_model, add_package, add_tool, add_tools, remove_tool
from dsvm.definition.model import EnvironmentDefinition, ModelDefinition, UserDefinition
from dsvm.definition.translate import fields_of
from dsvm.errors import DsvmError


def test_the_first_definition_is_valid_and_means_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "dsvm.toml").write_text(template("lab"))
    assert read(tmp_path / "dsvm.toml") == Definition(name="lab")


def test_the_first_definition_says_what_is_asked_for(tmp_path: Path) -> None:
    text = template("lab", profile="", base="debian-12", tools=["r"])
    (tmp_path / "dsvm.toml").write_text(text)
    expected = Definition(name="lab", profile="", base="debian-12", tools=["r"])
    assert read(tmp_path / "dsvm.toml") == expected


def test_the_first_definition_shows_every_key_and_stays_valid_toml_uncommented() -> None:
    text = re.sub(r'^# (\[[a-z.]+\]|["~a-z/]+ = .*)$', r"\1", template("lab"), flags=re.MULTILINE)
    data = tomllib.loads(text)
    for key, field in fields_of(Definition).items():
        assert key in data, key
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            assert set(data[key]) == set(fields_of(kind))
    assert set(data["environments"]["churn"]) == set(fields_of(EnvironmentDefinition))
    assert set(data["models"]["digits"]) == set(fields_of(ModelDefinition))
    assert set(data["users"]["ada"]) == set(fields_of(UserDefinition))


def test_the_definition_is_found_here_or_above(tmp_path: Path) -> None:
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    assert find(inner) is None
    (tmp_path / "dsvm.toml").touch()
    assert find(inner) == find(tmp_path) == tmp_path / "dsvm.toml"


def test_the_schema_describes_every_key() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) == set(fields_of(Definition))
    for table in (schema, *schema["$defs"].values()):
        assert table["additionalProperties"] is False
        assert all("description" in inner for inner in table["properties"].values())


def test_adding_and_removing_keeps_comments_and_layout() -> None:
    text = '# mine\nname = "lab"\ntools = [\n  "r",  # for Ada\n  "git",\n]\n[size] # big\n'
    more = add_tool(text, "pytorch")
    assert tomllib.loads(more)["tools"] == ["r", "git", "pytorch"]
    assert all(piece in more for piece in ("# mine", "# for Ada", "[size] # big"))
    assert add_tool(more, "r") == more
    assert tomllib.loads(remove_tool(more, "git"))["tools"] == ["r", "pytorch"]
    assert "# for Ada" in remove_tool(more, "git")


def test_a_list_that_is_missing_is_added_above_the_tables() -> None:
    text = add_package('name = "lab"\n[size]\ncpus = 1\n', "ffmpeg")
    assert text == 'name = "lab"\npackages = ["ffmpeg"]\n[size]\ncpus = 1\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '# mine\nname = "lab"\nbase = "debian-13"\nprofile = "starter"  # all\n'
            "\n[size]\ncpus = 1\n",
            '# mine\nname = "lab"\nbase = "debian-13"\nprofile = "starter"  # all\n'
            'tools = ["git"]\n\n[size]\ncpus = 1\n',
        ),
        (
            'packages = [\n "jq",\n]\nname = "lab"',
            'packages = [\n "jq",\n]\nname = "lab"\ntools = ["git"]\n',
        ),
        ('[users.ada]\nname = "x"\n', 'tools = ["git"]\n[users.ada]\nname = "x"\n'),
        ("[name]\nx = 1\n", 'tools = ["git"]\n[name]\nx = 1\n'),
        ("", 'tools = ["git"]\n'),
        ('name = "lab"\r\n[size]\r\n', 'name = "lab"\r\ntools = ["git"]\r\n[size]\r\n'),
    ],
)
def test_missing_tools_come_after_name_base_and_profile(text: str, expected: str) -> None:
    assert add_tool(text, "git") == expected


def test_a_definition_that_cannot_be_changed_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "dsvm.toml"
    for text in ('name = "lab"\ntools = "r"\n', "name = \n"):
        path.write_text(text)
        with pytest.raises(DsvmError):
            add_tools(path, ["git"])
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_is_a_table_at_the_end_and_what_stands_above_stays() -> None:
    text = 'name = "lab"  # mine\n\n[size]\ncpus = 2'

    added = add_model(text, "magika")

    assert added == f"{text}\n\n[models.magika]\n"
    assert add_model(added, "magika") == added
    assert add_model("models = { magika = {} }\n", "magika") == "models = { magika = {} }\n"


def test_models_that_are_no_table_are_refused() -> None:
    with pytest.raises(DsvmError, match="`models` is no table"):
        add_model('models = ["magika"]\n', "magika")
