"""The first `dsvm.toml`: valid, commented, and with every key in it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from dsvm.definition.tomltext import toml_value


def template(
    name: str, *, profile: str = "starter", base: str = "debian-13", tools: Sequence[str] = ()
) -> str:
    """The text of a dsvm.toml for a machine `name`."""
    text = files(__package__).joinpath("first.toml").read_text("utf-8")
    values = {"NAME": name, "BASE": base, "PROFILE": profile, "TOOLS": list(tools)}
    for key, value in values.items():
        text = text.replace(f"@{key}@", toml_value(value))
    return text
