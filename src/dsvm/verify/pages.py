"""The templates of pages for people: nothing in them is loaded from elsewhere."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def template(name: str) -> Template:
    """The page template `<name>.html.j2`; text that is put into it is escaped."""
    return _environment().get_template(f"{name}.html.j2")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dsvm.verify", "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["shown"] = shown
    return environment


def shown(value: object) -> str:
    """A measurement as a person reads it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(shown(one) for one in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {shown(one)}" for key, one in value.items())
    return str(value)
