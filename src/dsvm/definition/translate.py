"""pydantic's findings in the words of the person who wrote the file."""

from __future__ import annotations

import copy
import types
import typing
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from dsvm.definition.faults import Faults, SourceText, nearest, shown
from dsvm.definition.positions import Place
from dsvm.definition.tomltext import toml_key, toml_value

_WANTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_ROUNDS = 8

M = TypeVar("M", bound=BaseModel)


def checked(
    model: type[M],
    data: dict[str, Any],
    source: SourceText,
    faults: Faults,
    placeholders: dict[str, object] | None = None,
) -> M | None:
    """`data` as `model`; mistakes go to `faults` and are left out of what is returned.

    So that the rest can still be checked, a wrong value falls back to its default, a wrong item
    of a list of texts to `""` and a required key at the top to its placeholder. None if nothing
    useful is left.
    """
    data = copy.deepcopy(data)
    gone: set[Place] = set()
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(data)
        except ValidationError as wrong:
            found = wrong.errors(include_url=False)
        for detail in found:
            if _place(detail) not in gone:
                _report(model, detail, source, faults)
        if not _mend(data, found, placeholders or {}, gone):
            return None
    return None


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys a person may write, as they are written."""
    return {
        info.alias or name: info for name, info in model.model_fields.items() if not info.exclude
    }


def field_at(model: type[BaseModel], place: Place) -> tuple[type[BaseModel] | None, Any]:
    """The table's model and the field (or None) that `place` speaks of."""
    table: type[BaseModel] | None = model
    field: FieldInfo | None = None
    kind: Any = model
    for part in place:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            table = kind
            field = fields_of(kind).get(str(part)) or kind.model_fields.get(str(part))
            kind = plain(field.annotation) if field else None
        else:
            kind = plain(typing.get_args(kind)[-1]) if typing.get_args(kind) else None
    return table, field


def plain(kind: Any) -> Any:
    """`X` of `X | None` and of `Annotated[X, ...]`."""
    if typing.get_origin(kind) is typing.Annotated:
        return plain(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return plain(next(k for k in typing.get_args(kind) if k is not type(None)))
    return kind


def dotted(place: Place) -> str:
    """`size.cpus`, `tools[1]`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return shown(text)


def _report(
    model: type[BaseModel], detail: ErrorDetails, source: SourceText, faults: Faults
) -> None:
    place = _place(detail)
    if faults.known(source, place):
        return
    kind = detail["type"]
    table, field = field_at(model, place)
    remedy: str | None
    if kind == "extra_forbidden":
        what, remedy = _unknown(model, table, place)
    elif kind == "missing":
        what, remedy = f"`{dotted(place)}` is missing", _example(place, field)
    elif detail["loc"][-1:] == ("[key]",):
        what, remedy = _bad_name(place)
    elif kind == "literal_error":
        what, remedy = _bad_word(place, detail)
    else:
        what, remedy = _bad_value(place, field, detail)
    faults.add(source, place, what, remedy=remedy)


def _place(detail: ErrorDetails) -> Place:
    """Pydantic ends the place of a bad name with `[key]`; an unknown key may be called so."""
    place = detail["loc"]
    return place[:-1] if place[-1] == "[key]" and detail["type"] != "extra_forbidden" else place


def _unknown(
    model: type[BaseModel], table: type[BaseModel] | None, place: Place
) -> tuple[str, str]:
    key = str(place[-1])
    around = f" in `[{dotted(place[:-1])}]`" if place[:-1] else ""
    return f"unknown key `{shown(key, 60)}`{around}", _meant(model, table or model, place, key)


def _meant(model: type[BaseModel], table: type[BaseModel], place: Place, key: str) -> str:
    """Which key was meant: of this table, of the top, or of a table below the top."""
    words = list(fields_of(table))
    homes = {} if place[:-1] else _homes(model)
    if key in homes:
        return f"`{key}` belongs to `[{homes[key]}]`"
    if table is not model and key in fields_of(model):
        return f"`{key}` belongs to the top: move it above the first `[table]`"
    if near := nearest(key, words):
        return f"did you mean `{near}`?"
    if near := nearest(key, homes):
        return f"did you mean `{near}` in `[{homes[near]}]`?"
    return f"valid here: {_listed(words)}"


def _homes(model: type[BaseModel]) -> dict[str, str]:
    """Keys of the tables below the top, with their table."""
    found: dict[str, str] = {}
    for name, info in fields_of(model).items():
        inner = plain(info.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= dict.fromkeys(fields_of(inner), name)
    return found


def _bad_name(place: Place) -> tuple[str, str]:
    name = str(place[-1])
    return (
        f"`{shown(name)}` is no valid name in `[{dotted(place[:-1])}]`",
        f"lower case letters, digits and hyphens only, at most 32: `{slug(name)}`",
    )


def slug(text: str) -> str:
    """The nearest valid name."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower())
    return "-".join(part for part in kept.split("-") if part)[:32].strip("-") or "lab"


def _bad_word(place: Place, detail: ErrorDetails) -> tuple[str, str]:
    given = detail["input"]
    words = [
        word.strip("'") for word in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")
    ]
    near = nearest(given, words) if isinstance(given, str) else None
    hint = f"did you mean `{near}`? " if near else ""
    what = f"`{dotted(place)}` cannot be {_called(given)}"
    return what, f"{hint}valid are {_listed(words)}"


def _bad_value(place: Place, field: Any, detail: ErrorDetails) -> tuple[str, str | None]:
    kind, given = detail["type"], detail["input"]
    name = f"`{dotted(place)}`"
    if kind in _WANTED:
        return f"{name} must be {_WANTED[kind]}, not {_called(given)}", _example(place, field)
    if kind == "string_pattern_mismatch":
        if place == ("name",):
            return f"{name} cannot be {_called(given)}", (
                "lower case letters, digits and hyphens only, at most 32: "
                f"`name = {toml_value(slug(given))}`"
            )
        return f"{name} cannot be {_called(given)}", _example(place, field)
    if kind == "too_short":
        return f"{name} is empty", _example(place, field)
    return f"{name}: {shown(detail['msg'])}", _example(place, field)


def _called(value: object) -> str:
    """A wrong value, or what kind of value it is when it is large."""
    if isinstance(value, str):
        return f"`{toml_value(shown(value, 40))}`"
    if isinstance(value, bool | int | float):
        return f"`{shown(str(value).lower(), 40)}`"
    if isinstance(value, list):
        return "a list"
    return "a table" if isinstance(value, dict) else f"`{shown(str(value), 40)}`"


def _example(place: Place, field: Any) -> str | None:
    """How the key of `place` is written right."""
    if field is None or not field.examples:
        return None
    key = next((str(part) for part in reversed(place) if isinstance(part, str)), "")
    example = field.examples[0]
    if isinstance(example, list) and isinstance(example[0], dict):
        pairs = ", ".join(f"`{k} = {toml_value(v)}`" for k, v in example[0].items())
        return f"add `[[{key}]]` with {pairs}"
    if isinstance(example, dict):
        name, value = next(iter(example.items()))
        return (
            f"write it below `[{dotted(place[:1])}]` like `{toml_key(name)} = {toml_value(value)}`"
        )
    return f"write it like `{shown(key)} = {toml_value(example)}`"


def _listed(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _mend(
    data: dict[str, Any],
    found: list[ErrorDetails],
    placeholders: dict[str, object],
    gone: set[Place],
) -> bool:
    """Take what is wrong out of `data` and note it in `gone`. False if there was nothing to do."""
    mended = False
    for detail in found:
        place = _place(detail)
        if detail["type"] != "missing":
            mended = _take_out(data, place, gone) or mended
        elif len(place) == 1 and place[0] in placeholders:
            data[str(place[0])] = placeholders[str(place[0])]
            mended = True
        else:
            mended = _take_out(data, place[:-1], gone) or mended
    return mended


def _take_out(data: dict[str, Any], place: Place, gone: set[Place]) -> bool:
    """A key goes; an item of a list becomes `""`, and if it was that already, the list goes."""
    if not place:
        return False
    gone.add(place)
    box: Any = data
    for part in place[:-1]:
        try:
            box = box[part]
        except (KeyError, IndexError, TypeError):
            return False
    last = place[-1]
    if isinstance(box, dict) and last in box:
        del box[last]
        return True
    if isinstance(box, list) and isinstance(last, int) and last < len(box):
        if box[last] == "":
            return _take_out(data, place[:-1], gone)
        box[last] = ""
        return True
    return False
