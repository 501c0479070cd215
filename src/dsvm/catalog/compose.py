"""Definition + catalog -> Composition: all that has to be locked, built and proven."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dsvm.catalog.environments import EnvironmentPlan, plan_environments
from dsvm.catalog.host import host_variants
from dsvm.catalog.load import Catalog, hint_for, load_catalog
from dsvm.catalog.model import App, Base, DriverNeed, Tool
from dsvm.definition.checks import host_path
from dsvm.definition.faults import shown
from dsvm.definition.model import Definition, Variant
from dsvm.definition.positions import Place
from dsvm.definition.read import Draft, draft
from dsvm.errors import DsvmError, ErrorGroup
from dsvm.models.load import hint, load_models
from dsvm.models.own import tools_of
from dsvm.models.tool import tool_name

__all__ = ["Composition", "EnvironmentPlan", "compose", "resolved"]

# Sources every definition may override, whatever its tools; a base adds its archives.
COMMON_SOURCES = ("pypi", "find-links", "npm", "cran", "conda", "snapshot")


@dataclass(frozen=True)
class Composition:
    """`sources` overrides the host's own, by name: an address, or for `find-links` also a folder.

    `folder` is where dsvm.toml lies. `driver`: what the image has of NVIDIA's, if it was asked for.
    """

    base: Base
    tools: tuple[Tool, ...]
    packages: tuple[str, ...]
    environments: tuple[EnvironmentPlan, ...]
    variants: tuple[Variant, ...]
    sources: dict[str, str]
    folder: Path
    driver: DriverNeed | None = None

    def without(self, tools: Collection[str]) -> Composition:
        """The same, but these tools are not there: nothing of them was reached."""
        return replace(self, tools=tuple(tool for tool in self.tools if tool.name not in tools))

    def with_those_beside(self, changed: Collection[str]) -> tuple[str, ...]:
        """These tools, and the ones that have a check beside one of them."""
        return tuple(
            tool.name
            for tool in self.tools
            if {tool.name, *(name for check in tool.checks for name in check.beside)} & {*changed}
        )

    @property
    def apps(self) -> tuple[App, ...]:
        return tuple(app for tool in self.tools for app in tool.apps)


def compose(path: Path, text: str | None = None) -> tuple[Definition, Composition]:
    """Read the definition at `path`, or `text` in its place, and put together what it asks for.

    Raises `ErrorGroup` with all mistakes of the definition and of the tool folders it names.
    """
    found = draft(path, text)
    catalog = _catalog(found)
    definition = found.definition
    base = _base(found, catalog)
    driver = _driver(found, base)
    tools = (*_tools(found, catalog), *_models(found, catalog))
    variants = tuple(definition.accelerator.variants or host_variants(definition.size.accelerator))
    environments = plan_environments(found, tools, variants, base, catalog.pythons(base))
    _sources(found, base, tools)
    _names(found, tools)
    found.faults.raise_if_any()
    return definition, Composition(
        base=base.with_driver() if driver else base,
        tools=tools,
        packages=_packages(base, tools, definition, driver),
        environments=environments,
        variants=variants,
        sources=resolved(definition.sources, found.folder),
        folder=found.folder,
        driver=driver,
    )


def _catalog(found: Draft) -> Catalog:
    """The catalog with the definition's own tools, or without them if these have mistakes."""
    texts = found.definition.catalog.paths
    paths = [
        host_path(text, found.folder).resolve()
        for number, text in enumerate(texts)
        if not found.faults.known(found.source, ("catalog", "paths", number))
    ]
    try:
        return load_catalog(paths)
    except ErrorGroup as wrong:
        for number, error in enumerate(wrong.errors):
            found.faults.add_error("the catalog", (number,), error)
        if not paths:
            found.faults.raise_if_any()
        return load_catalog()


def _bad(found: Draft, place: Place, what: str, remedy: str, cause: str | None = None) -> None:
    if not found.faults.known(found.source, place):
        found.faults.add(found.source, place, what, cause=cause, remedy=remedy)


def _base(found: Draft, catalog: Catalog) -> Base:
    """The base; if it is unknown any other, to go on checking."""
    name, bases = found.definition.base, catalog.machine_bases
    if name not in bases:
        what = f"unknown base `{shown(name, 60)}`"
        _bad(found, ("base",), what, hint_for(name, bases))
        return next(iter(bases.values()))
    return bases[name]


def _driver(found: Draft, base: Base) -> DriverNeed | None:
    """What the base has of NVIDIA's driver, if the definition wants it."""
    if not found.definition.accelerator.driver:
        return None
    if not base.driver:
        what = f"dsvm knows no driver of NVIDIA for the base `{base.name}`"
        _bad(found, ("accelerator", "driver"), what, 'set base = "debian-13", or leave it out')
    return base.driver


def _tools(found: Draft, catalog: Catalog) -> tuple[Tool, ...]:
    """The tools of the profile, then those named, each after the ones it requires."""
    wanted: dict[str, Tool] = {}
    for name in _profile(found, catalog):
        _want(catalog, name, wanted)
    for number, name in enumerate(found.definition.tools):
        if name in catalog.tools:
            _want(catalog, name, wanted)
        else:
            what = f"unknown tool `{shown(name, 60)}`"
            _bad(found, ("tools", number), what, catalog.hint(name))
    return tuple(wanted.values())


def _models(found: Draft, catalog: Catalog) -> tuple[Tool, ...]:
    """The models of the definition, each as a tool."""
    models = found.definition.models
    for name, said in models.items():
        place: Place = ("models", name)
        if tool_name(name) in catalog.tools:
            what = f"the model `{name}` and a tool of yours are both called `{tool_name(name)}`"
            _bad(found, place, what, "choose another name for one of them")
        elif said.hub and name in load_models():
            what = f"the model `{name}` of your own has the name of one of the catalog"
            _bad(found, place, what, f"call it otherwise, like `my-{name}`")
        elif not said.hub and name not in load_models():
            what = f"unknown model `{shown(name, 60)}`"
            _bad(found, place, what, f"{hint(name)}; one of your own says its `hub`")
    return tuple(tools_of(models).values())


def _profile(found: Draft, catalog: Catalog) -> Sequence[str]:
    name = found.definition.profile
    if not name:
        return ()
    if name not in catalog.profiles:
        what = f"unknown profile `{shown(name, 60)}`"
        _bad(found, ("profile",), what, hint_for(name, catalog.profiles))
        return ()
    return catalog.profiles[name].tools


def _want(
    catalog: Catalog, name: str, wanted: dict[str, Tool], above: tuple[str, ...] = ()
) -> None:
    if name in wanted or name in above:
        return
    for needed in catalog.tools[name].requires:
        _want(catalog, needed, wanted, (*above, name))
    wanted[name] = catalog.tools[name]


def _packages(
    base: Base, tools: Sequence[Tool], definition: Definition, driver: DriverNeed | None
) -> tuple[str, ...]:
    lists = [base.packages, [base.kernel], base.python_packages]
    lists += [[driver.library, *driver.packages]] if driver else []
    lists += [tool.apt for tool in tools]
    lists += [definition.packages]
    return tuple(dict.fromkeys(name for names in lists for name in names))


def _sources(found: Draft, base: Base, tools: Sequence[Tool]) -> None:
    archives = [archive.name for archive in base.archives]
    needs = [tool.environment for tool in tools if tool.environment]
    of_tools = [source.name for need in needs for source in need.sources if source.index]
    known = list(dict.fromkeys([*COMMON_SOURCES, *archives, *of_tools]))
    for name, value in found.definition.sources.items():
        if name not in known:
            what = f"unknown source `{shown(name, 60)}`"
            _bad(found, ("sources", name), what, hint_for(name, known))
        elif not _is_address(value, local=name == "find-links"):
            what = f"source `{name}` is no address"
            _bad(found, ("sources", name), what, 'write it like "https://mirror.lab/simple"')


def resolved(sources: dict[str, str], folder: Path) -> dict[str, str]:
    """Folders among the sources as absolute paths."""
    return {
        name: text if "://" in text else str(host_path(text, folder).resolve())
        for name, text in sources.items()
    }


def _is_address(text: str, local: bool) -> bool:
    if not text.isprintable() or any(c in text for c in " \"'<>"):
        return False
    scheme, found, rest = text.partition("://")
    if found:
        return scheme in ("http", "https", "file") and bool(rest.strip("/"))
    return local and text.startswith(("/", "~/", "./"))


def _names(found: Draft, tools: Sequence[Tool]) -> None:
    """What two tools cannot both have, and own environments cannot be called."""
    apps: dict[object, str] = {}
    for tool in tools:
        claims = [("app", app.name) for app in tool.apps]
        claims += [("port", str(app.port)) for app in tool.apps]
        claims += [("port", str(port)) for one in tool.services for port in sorted(one.all_ports)]
        claims += [("kernel", kernel.name) for kernel in tool.kernels]
        claims += [("environment", o.conda.environment) for o in tool.origins if o.conda]
        claims += [("service", service.name) for service in tool.services]
        claims += [("file", one.path) for one in tool.files]
        for kind, name in claims:
            other = apps.setdefault((kind, name), tool.name)
            if other != tool.name:
                what = f"`{other}` and `{tool.name}` both have the {kind} `{name}`"
                error = DsvmError(what, remedy="leave one of the two tools out")
                found.faults.add_error("the catalog", (kind, name), error)
    kernels = {kernel.name: tool.name for tool in tools for kernel in tool.kernels}
    for name in found.definition.environments:
        if name in kernels:
            what = f"environment `{name}` has the name of a kernel of the tool `{kernels[name]}`"
            _bad(found, ("environments", name), what, "choose another name for it")
