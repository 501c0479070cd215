"""A model as the composition takes it: a tool with an environment of its own and a check."""

from __future__ import annotations

import shlex

from dsvm.catalog.model import Break, Check, EnvironmentNeed, Example, Tool
from dsvm.models.model import Known, Model

GROUP = "models"
PREFIX = "model-"
TIMEOUT_S = 180
# In the machine: the catalog's models with their adapters, and the program that asks them.
SHIPPED = "/usr/share/dsvm/models"
PROGRAM = "dsvm-model"


def tool_name(model: str) -> str:
    """What a model's tool, and its environment, are called."""
    return f"{PREFIX}{model}"


def as_tool(model: Model) -> Tool:
    """The tool that brings the model into a machine and proves it there.

    Nothing else of the machine shares its environment; it is no kernel.
    """
    name = tool_name(model.name)
    check = Check(name="known-answers", run="model.py", timeout_s=TIMEOUT_S, memory=model.memory)
    need = EnvironmentNeed(
        name=name,
        variants={"cpu": model.requirements},
        source_only=model.source_only,
        kernel=False,
    )
    said = {
        "title": model.title,
        "summary": model.summary,
        "homepage": model.homepage,
        "licence": model.licence,
        "group": GROUP,
        "start": f"dsvm models run {model.name} INPUT",
        "example": _example(model, model.known[0]),
        "note": model.note,
        "environment": need,
        "check": [check],
        "break": _breaks(name, next(iter(model.weights))),
        "name": name,
        "folder": model.folder,
    }
    return Tool.model_validate(said)


def _example(model: Model, known: Known) -> Example:
    given = known.input
    if model.input != "text":
        given = f"{SHIPPED}/{model.name}/samples/{given}"
    key = next(iter([*known.equals, *known.least, *known.most]))
    return Example(run=f"{PROGRAM} {model.name} {shlex.quote(given)}", prints=f'"{key}":')


def _breaks(environment: str, weights: str) -> list[Break]:
    file = f"$(echo /opt/dsvm/envs/{environment}/lib/python3*/site-packages/{weights})"
    kept = f"/root/kept-{environment}"
    return [
        Break(
            name="missing weights",
            run=f"echo {file} > {kept}.place && mv {file} {kept}",
            undo=f"mv {kept} $(cat {kept}.place)",
            expect="cannot be read",
        ),
        Break(
            name="other weights",
            run=f"cp -p {file} {kept} && printf x >> {file}",
            undo=f"cp -p {kept} {file}",
            expect="are others",
        ),
    ]
