"""A model of a person's own, `[models.NAME]` with a `hub`, as the composition takes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dsvm.catalog.model import Break, Check, EnvironmentNeed, Example, Tool
from dsvm.catalog.origins import HubNeed, Origin
from dsvm.definition.model import ModelDefinition
from dsvm.models.load import load_models
from dsvm.models.tool import GROUP, TIMEOUT_S, as_tool, tool_name

ADAPTER = Path(__file__).parent / "hub"
REQUIREMENTS = ["numpy", "onnx", "onnxruntime"]
NETWORK = ".onnx"
ADDRESSES = {"huggingface": "https://huggingface.co"}


def is_whole(said: ModelDefinition) -> bool:
    """Whether all is there that says which files they are."""
    networks = [path for path in said.files if path.endswith(NETWORK)]
    return bool(said.hub and said.repository and said.revision and networks)


def own_tool(name: str, said: ModelDefinition) -> Tool:
    """The tool that brings its files and ONNX Runtime into a machine, and proves it there.

    `said` is whole.
    """
    called = tool_name(name)
    need = hub_need(said)
    network = next(path for path in need.files if path.endswith(NETWORK))
    runtime = EnvironmentNeed(name=called, variants={"cpu": REQUIREMENTS}, kernel=False)
    library = f"$(echo /opt/dsvm/envs/{called}/lib/python3*/site-packages/onnxruntime/__init__.py)"
    broken = Break(
        name="missing runtime",
        run=f"mv {library} /root/kept-{called}",
        undo=f"mv /root/kept-{called} {library}",
        expect="onnxruntime",
    )
    told = {
        "title": name,
        "summary": f"A model of your own: {said.task or 'its task is not told'}",
        "homepage": f"{ADDRESSES[need.hub]}/{need.repository}",
        "licence": said.licence or "not told",
        "group": GROUP,
        "start": f"dsvm models run {name} REQUEST.json",
        "example": Example(run=f"find /opt/dsvm/apps/{called} -type f", prints=network),
        "environment": runtime,
        "origin": [Origin(hub=need)],
        "check": [Check(name="known-answers", run="model.py", timeout_s=TIMEOUT_S)],
        "break": [broken],
        "name": called,
        "folder": ADAPTER,
    }
    return Tool.model_validate(told)


def tools_of(models: Mapping[str, ModelDefinition]) -> dict[str, Tool]:
    """The tools of a definition's models by their names, but for those that are unknown."""
    found = [
        own_tool(name, said) if said.hub else as_tool(load_models()[name])
        for name, said in models.items()
        if (is_whole(said) if said.hub else name in load_models())
    ]
    return {tool.name: tool for tool in found}


def hub_need(said: ModelDefinition) -> HubNeed:
    """Where its files are."""
    return HubNeed.model_validate(said.model_dump(include=set(HubNeed.model_fields)))
