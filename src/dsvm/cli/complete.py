"""What the shell completes besides commands and options: machines, apps, environments, tools.

What a function here raises never reaches the line that is being typed: nothing is completed then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsvm.machines.machine import Machine


def _quiet(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        try:
            return sorted({name for name in names() if name.startswith(incomplete)})
        except Exception:
            return []

    complete.__doc__ = names.__doc__
    return complete


@_quiet
def machines() -> list[str]:
    """The names of all machines."""
    from dsvm.home import Home
    from dsvm.machines.state import Machines

    return Machines(Home.default()).names()


@_quiet
def machines_and_environments() -> list[str]:
    """What may follow `env diff`: machines, and the environments they were made with."""
    found = _all_machines()
    return [
        *(machine.name for machine in found),
        *(one.name for machine in found for one in machine.record.lock.environments),
    ]


@_quiet
def machines_and_apps() -> list[str]:
    """What may follow `open`."""
    found = _all_machines()
    return [
        *(machine.name for machine in found),
        *(app for machine in found for app in machine.record.apps),
    ]


@_quiet
def models() -> list[str]:
    """The models of the catalog."""
    from dsvm.models import load_models

    return list(load_models())


@_quiet
def tools() -> list[str]:
    """The tools of the catalog, those of the definition's own folders too."""
    from dsvm.cli.definition import catalog_here

    return list(catalog_here().tools)


@_quiet
def profiles() -> list[str]:
    """The profiles of the catalog."""
    from dsvm.catalog import load_catalog

    return list(load_catalog().profiles)


@_quiet
def sizes() -> list[str]:
    """The sizes there are."""
    from dsvm.cli.sizes import definition_here
    from dsvm.home import Home
    from dsvm.sizes import load_sizes

    return [one.name for one in load_sizes(Home.default(), definition_here()).sizes]


@_quiet
def engines() -> list[str]:
    """The engines there are, and `auto`."""
    from dsvm.engines import all_engines
    from dsvm.home import Home

    return ["auto", *(engine.name for engine in all_engines(Home.default()))]


def _all_machines() -> list[Machine]:
    from dsvm.home import Home
    from dsvm.machines.state import Machines

    return Machines(Home.default()).all()
