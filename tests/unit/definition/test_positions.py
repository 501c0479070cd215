"""Every key and item is found on its line."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dsvm.definition.positions import Place, positions
from dsvm.definition.tomltext import toml_key, toml_value


def places(data: Any, place: Place = ()) -> set[Place]:
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    found = {place} - {()}
    if isinstance(data, dict | list):
        for key, value in inner:
            found |= (
                places(value, (*place, key)) if isinstance(value, dict | list) else {(*place, key)}
            )
    return found


def test_all_forms_of_toml_are_found_on_their_lines() -> None:
    text = '''\
# a comment with "quotes' and [brackets
a = 1
b.c."d e" = [ # one
  "x]",
  'y"', # two
  [1, 2,
   3],
  { k = 1, l.m = [
    4] },
]
t = """
a = 1
""""
l = \'\'\'
[x]\'\'\'
[ s . "q.r" ]
u = 2026-01-01 00:00:00
"" = -inf
[[w]]
n = 1
[[w]]
n = 2
[w.v]
o = "\\""
[[w.z]]
p = 1
'''
    assert positions(text) == {
        ("a",): 2,
        ("b",): 3,
        ("b", "c"): 3,
        ("b", "c", "d e"): 3,
        ("b", "c", "d e", 0): 4,
        ("b", "c", "d e", 1): 5,
        ("b", "c", "d e", 2): 6,
        ("b", "c", "d e", 2, 0): 6,
        ("b", "c", "d e", 2, 1): 6,
        ("b", "c", "d e", 2, 2): 7,
        ("b", "c", "d e", 3): 8,
        ("b", "c", "d e", 3, "k"): 8,
        ("b", "c", "d e", 3, "l"): 8,
        ("b", "c", "d e", 3, "l", "m"): 8,
        ("b", "c", "d e", 3, "l", "m", 0): 9,
        ("t",): 11,
        ("l",): 14,
        ("s",): 16,
        ("s", "q.r"): 16,
        ("s", "q.r", "u"): 17,
        ("s", "q.r", ""): 18,
        ("w",): 19,
        ("w", 0): 19,
        ("w", 0, "n"): 20,
        ("w", 1): 21,
        ("w", 1, "n"): 22,
        ("w", 1, "v"): 23,
        ("w", 1, "v", "o"): 24,
        ("w", 1, "z"): 25,
        ("w", 1, "z", 0): 25,
        ("w", 1, "z", 0, "p"): 26,
    }


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.booleans() | st.integers(-99, 99) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_every_place_of_any_data_is_found(data: dict[str, Any]) -> None:
    rows = [f"{toml_key(key)} = {toml_value(value)}" for key, value in data.items()]
    text = "\n".join(rows)
    assert tomllib.loads(text) == data
    found = positions(text)
    assert set(found) == places(data)
    for number, key in enumerate(data, 1):
        assert found[(key,)] == number
