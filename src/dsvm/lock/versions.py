"""Which versions of a tool's own packages a lock has."""

from __future__ import annotations

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dsvm.catalog.model import Tool
from dsvm.lock.model import Lock


def versions_of(tool: Tool, lock: Lock) -> dict[str, str]:
    """Name -> version of what the tool itself asks for; not of what these bring along."""
    found = {one.name: one.version for one in lock.os.packages if one.name in tool.apt}
    found |= _wheels(tool, lock)
    for npm in (npm for npm in lock.npm if npm.tool == tool.name):
        asked = {f"node_modules/{name}" for name in npm.requirements}
        found |= {one.name: one.version for one in npm.packages if one.path in asked}
    for debs in (debs for debs in lock.debs if debs.tool == tool.name):
        tree = debs.tree
        found |= {one.name: one.version for one in tree.packages if one.name in tree.roots}
    for cran in (cran for cran in lock.cran if cran.tool == tool.name):
        asked = set(cran.requirements)
        found |= {one.name: one.version for one in cran.packages if one.name in asked}
    for conda in (conda for conda in lock.conda if conda.tool == tool.name):
        asked = {text.partition("=")[0].strip(" <>!~") for text in conda.requirements}
        found |= {one.name: one.version for one in conda.packages if one.name in asked}
    for hub in (one for one in lock.hub if one.tool == tool.name):
        found[hub.repository] = hub.revision[:12]
    for artifact in (one for one in lock.artifacts if one.tool == tool.name):
        found[tool.name] = artifact.url.partition("?")[0].rpartition("/")[2]
    return found


def _wheels(tool: Tool, lock: Lock) -> dict[str, str]:
    need = tool.environment
    if need is None:
        return {}
    texts = (text for texts in need.variants.values() for text in texts)
    asked = {canonicalize_name(Requirement(text).name) for text in texts}
    return {
        package.name: package.version
        for environment in lock.environments
        if environment.name == need.name
        for package in environment.packages
        if package.name in asked
    }
