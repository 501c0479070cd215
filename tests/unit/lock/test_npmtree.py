"""Which places of npm's lock are filled on this machine."""

from __future__ import annotations

from typing import Any

import pytest

from dsvm.errors import DsvmError
from dsvm.lock.npmtree import installed, name_of

Entry = dict[str, Any]
DARWIN: Entry = {"optional": True, "os": ["darwin"]}


def places(**root: dict[str, str]) -> Entry:
    return {"": root}


def test_a_package_is_found_nearest_to_who_asks() -> None:
    entries = places(dependencies={"a": "1", "b": "1"}) | {
        "node_modules/a": {"dependencies": {"b": "2"}},
        "node_modules/a/node_modules/b": {},
        "node_modules/b": {},
        "node_modules/nobody-asks": {},
    }

    assert installed(entries, "t") == [
        "node_modules/a",
        "node_modules/a/node_modules/b",
        "node_modules/b",
    ]


def test_what_only_another_system_needs_is_left_out_with_it() -> None:
    entries = places(optionalDependencies={"events": "1"}, dependencies={"shared": "1"}) | {
        "node_modules/events": {**DARWIN, "dependencies": {"nan": "2", "shared": "1"}},
        "node_modules/nan": {"optional": True},
        "node_modules/shared": {},
    }

    assert installed(entries, "t") == ["node_modules/shared"]


def test_what_must_be_there_but_is_made_for_another_system_is_refused() -> None:
    entries = places(dependencies={"events": "1"}) | {"node_modules/events": {"os": ["darwin"]}}

    with pytest.raises(DsvmError) as refused:
        installed(entries, "editor")

    assert refused.value.cause == "node_modules/events is for os: darwin"


def test_a_system_may_be_named_by_a_word_alone() -> None:
    entries = places(dependencies={"node": "1"}) | {"node_modules/node": {"os": "linux"}}

    assert installed(entries, "t") == ["node_modules/node"]


def test_peers_scopes_and_circles_are_followed() -> None:
    entries = places(dependencies={"@lab/one": "1"}) | {
        "node_modules/@lab/one": {"peerDependencies": {"two": "1", "not-there": "1"}},
        "node_modules/two": {"dependencies": {"@lab/one": "1"}},
    }

    assert installed(entries, "t") == ["node_modules/@lab/one", "node_modules/two"]


def test_an_alias_is_known_by_its_real_name() -> None:
    entries = {"node_modules/short": {"name": "@lab/long"}, "node_modules/@lab/one": {}}

    assert name_of(entries, "node_modules/short") == "@lab/long"
    assert name_of(entries, "node_modules/@lab/one") == "@lab/one"
