"""Find and check the models of the catalog, and those that a person means by a few words."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from dsvm.definition.faults import nearest, shown
from dsvm.errors import DsvmError
from dsvm.models.model import Model

FOLDER = Path(__file__).parent / "catalog"


@cache
def load_models(folder: Path = FOLDER) -> dict[str, Model]:
    """All of them by name."""
    return {file.parent.name: _model(file.parent) for file in sorted(folder.glob("*/model.toml"))}


def model(name: str) -> Model:
    """Raises `DsvmError` with the nearest name."""
    known = load_models()
    if name not in known:
        raise DsvmError(f"unknown model `{shown(name, 60)}`", remedy=hint(name))
    return known[name]


def hint(name: str) -> str:
    """What a person may mean by the name of a model that is not there."""
    near, listed = nearest(name, load_models()), "`dsvm models` lists them all"
    return f"did you mean `{near}`? {listed}" if near else listed


def find_models(
    words: Sequence[str] = (),
    *,
    task: str | None = None,
    largest: int | None = None,
    licence: str | None = None,
    runtime: str | None = None,
) -> list[Model]:
    """The models in which every word occurs, the smallest first.

    `largest` is that of the weights in bytes; of the other bounds the beginning of a word is
    enough (`speech`, `mit`, `onnx`), upper and lower case alike.
    """
    found = [
        one
        for one in load_models().values()
        if all(word.casefold() in _text(one) for word in words)
        and (largest is None or one.size <= largest)
        and _begins(one.task, task)
        and _begins(one.licence, licence)
        and _begins(one.runtime, runtime)
    ]
    return sorted(found, key=lambda one: one.size)


def _begins(text: str, wanted: str | None) -> bool:
    return wanted is None or text.casefold().startswith(wanted.casefold())


def _text(one: Model) -> str:
    return "\n".join([one.name, one.title, one.summary, one.task, one.runtime]).casefold()


def _model(folder: Path) -> Model:
    found = Model.model_validate(tomllib.loads((folder / "model.toml").read_text("utf-8")))
    found._folder = folder
    return found
