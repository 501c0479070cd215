"""What a lock answers: its digest tells whether the lock is stale."""

from __future__ import annotations

import hashlib
import json

from dsvm.catalog.compose import Composition
from dsvm.catalog.model import Tool
from dsvm.lock.trees import tools_roots

_FORMAT = 1


def request_digest(composition: Composition) -> str:
    """Digest (sha256, hex) of all that decides what must be locked.

    Mirrors are left out: a lock works behind any.
    """
    base = composition.base
    asked: dict[str, object] = {
        "format": _FORMAT,
        "base": base.name,
        "archives": [archive.model_dump() for archive in base.archives],
        "packages": composition.packages,
        "tools_tree": tools_roots(),
        "environments": [
            {
                "name": plan.name,
                "python": plan.python or base.python,
                "requirements": {v: plan.requirements.get(v) for v in composition.variants},
                "constraints": plan.constraints,
                "sources": [source.model_dump() for source in plan.sources],
            }
            for plan in composition.environments
        ],
        "npm": {tool.name: tool.npm.model_dump() for tool in composition.tools if tool.npm},
        "artifacts": {tool.name: tool.artifact.url for tool in composition.tools if tool.artifact},
    }
    if source_only := {
        plan.name: [one.model_dump() for one in plan.source_only]
        for plan in composition.environments
        if plan.source_only
    }:
        asked["source_only"] = source_only
    if composition.driver:
        asked["driver"] = composition.driver.model_dump()
    if several := {t.name: _origins(t) for t in composition.tools if t.several}:
        asked["origins"] = several
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _origins(tool: Tool) -> list[object]:
    """What decides which bytes come; how they are laid out does not."""
    return [
        origin.artifact.url
        if origin.artifact
        else {"hub": origin.hub.model_dump()}
        if origin.hub
        else origin.model_dump(include={"debs": {"base", "packages"}, "cran": True, "conda": True})
        for origin in tool.origins
    ]
