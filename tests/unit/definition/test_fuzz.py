"""Whatever the bytes: a Definition or a DsvmError, never another exception."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dsvm.catalog.compose import compose
from dsvm.definition import read, template
from dsvm.definition.edit import add_tool
from dsvm.definition.tomltext import toml_key, toml_value
from dsvm.errors import DsvmError

TEXT = template("lab").replace("\n# ", "\n").replace("[size]", "[ size ]")
WORDS = (
    *("name", "base", "profile", "tools", "packages", "environments", "size", "users", "files"),
    *("mounts", "network", "accelerator", "sources", "catalog", "cpus", "memory", "disk", "keys"),
    *("python", "requirements", "file", "inherit", "variants", "paths", "pypi", "starter", "r"),
    *("[", "]", "[[", "]]", "{", "}", "=", ".", ",", '"', "'", '"""', "'''", "#", "\n", " ", "~/a"),
    *("4G", "1", "true", "1e999", "-inf", "nan", "2026-01-01", '"debian-13"', "\\u0000", "a.b"),
)
NO_WAIT = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "",
        "..",
        "~",
        "~root",
        "~nobody/x",
        "/",
        "a\x00b",
        "x>=1",
        "-r x",
        "4G",
        "cpu",
        "ssh-rsa AAAA",
    ]
)
values = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=16,
)


def survives(folder: Path, raw: bytes) -> None:
    path = folder / "dsvm.toml"
    path.write_bytes(raw)
    for use in (read, compose):
        screen = ""
        try:
            use(path)
        except DsvmError as error:
            screen = str(error)
        assert screen == "" or screen.startswith("error: ")
        assert "\x1b" not in screen


@NO_WAIT
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path: Path, raw: bytes) -> None:
    survives(tmp_path, raw)


@NO_WAIT
@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_pieces_of_toml_are_read_or_refused(tmp_path: Path, words: list[str]) -> None:
    survives(tmp_path, "".join(words).encode())


@NO_WAIT
@given(
    st.integers(0, len(TEXT)),
    st.integers(0, 30),
    st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
def test_any_slip_of_the_hand_is_read_or_refused(
    tmp_path: Path, at: int, cut: int, put: str
) -> None:
    text = TEXT[:at] + put + TEXT[at + cut :]
    survives(tmp_path, text.encode())
    with contextlib.suppress(DsvmError):
        add_tool(text, "pytorch")


@NO_WAIT
@given(st.dictionaries(st.sampled_from(WORDS[:28]) | texts, values, max_size=8))
@example({"[key]": []})
def test_any_value_at_any_key_is_read_or_refused(tmp_path: Path, data: dict[str, Any]) -> None:
    rows = [f"{toml_key(key)} = {toml_value(value)}" for key, value in data.items()]
    survives(tmp_path, "\n".join(rows).encode())


@NO_WAIT
@given(st.sampled_from(["size", "network", "accelerator", "catalog"]), values)
def test_any_value_in_any_table_is_read_or_refused(
    tmp_path: Path, table: str, value: object
) -> None:
    keys = ("cpus", "memory", "disk", "accelerator", "inherit", "variants", "paths")
    rows = [f"{key} = {toml_value(value)}" for key in keys]
    survives(tmp_path, "\n".join([f"[{table}]", *rows]).encode())


@NO_WAIT
@given(texts, values, st.sampled_from(["environments", "users"]))
def test_any_named_table_is_read_or_refused(
    tmp_path: Path, name: str, value: object, table: str
) -> None:
    keys = ("python", "requirements", "file", "keys")
    rows = [f"{key} = {toml_value(value)}" for key in keys]
    survives(tmp_path, "\n".join([f"[{table}.{toml_key(name)}]", *rows]).encode())


@NO_WAIT
@given(texts, texts, st.sampled_from(["files", "mounts", "sources"]))
def test_any_pair_of_texts_is_read_or_refused(
    tmp_path: Path, key: str, value: str, table: str
) -> None:
    row = f"{toml_key(key)} = {toml_value(value)}"
    survives(tmp_path, f'name = "a"\n[{table}]\n{row}\n'.encode())


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml", "environment.yml"])
@NO_WAIT
@given(
    raw=st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            (
                *("a", "pandas", "==1.2", "=1.2", " ", "\n", "- ", ": ", "pip", "dependencies"),
                *("dependencies:\n", "  - ", "&a ", "*a", "{", "}", "[", "]", "-r ", "-c ", "\\\n"),
                *("requirements.txt", "environment.yml", "${X}", "--hash=sha256:ab", "#", "python"),
                *(
                    "[project]\n",
                    'dependencies = ["a"]',
                    "requires-python",
                    " = ",
                    '"',
                    "!!x ",
                    "|",
                ),
            )
        ),
        max_size=25,
    ).map(lambda words: "".join(words).encode())
)
def test_any_file_of_requirements_is_read_or_refused(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    survives(tmp_path, f'name = "a"\n[environments.x]\nfile = "{name}"\n'.encode())
