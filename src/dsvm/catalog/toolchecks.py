"""What `tool.toml`'s model cannot say: its files exist, its names are known, a check is real."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath

from dsvm.catalog.model import Tool
from dsvm.definition.faults import Faults, SourceText, nearest, shown, shown_path
from dsvm.definition.model import NAME_PATTERN
from dsvm.definition.positions import Place
from dsvm.definition.requirements import requirement
from dsvm.errors import DsvmError

CHECK_KINDS = (".py", ".R", ".sh")


@dataclass(frozen=True)
class ToolChecker:
    """Checks one tool against its folder and the other tools."""

    tool: Tool
    source: SourceText
    faults: Faults

    def check(self, tools: dict[str, Tool], bases: Collection[str]) -> None:
        self._checks(tools)
        self._breaks()
        self._services()
        self._gates()
        self._example()
        self._files()
        self._one_app()
        self._origins(bases)
        self._requires(tools)
        self._environment()
        self._unique()

    def _bad(self, place: Place, what: str, remedy: str, cause: str | None = None) -> None:
        self.faults.add(self.source, place, what, cause=cause, remedy=remedy)

    def _checks(self, tools: dict[str, Tool]) -> None:
        environments = {t.lives_in for t in tools.values() if t.lives_in}
        for number, check in enumerate(self.tool.checks):
            place: Place = ("check", number, "run")
            file = self.tool.folder / check.run
            if "/" in check.run or not file.is_file():
                what = f"the check `{shown(check.run, 60)}` does not exist"
                self._bad(place, what, f"write it: {self.tool.folder}/{shown(check.run, 60)}")
            elif file.suffix not in CHECK_KINDS:
                what = f"nothing runs the check `{shown(check.run, 60)}`"
                self._bad(place, what, f"it must end in one of {', '.join(CHECK_KINDS)}")
            if check.environment and check.environment not in environments:
                near = nearest(check.environment, environments)
                what = f"unknown environment `{shown(check.environment, 60)}`"
                self._bad(
                    ("check", number, "environment"),
                    what,
                    f"did you mean `{near}`?" if near else "name the environment of a tool",
                )
            for needed in check.beside:
                self._known_tool(("check", number, "beside"), needed, tools)
        if all(check.beside for check in self.tool.checks):
            what = "every check needs other tools beside it"
            self._bad(
                ("check", 0), what, "add one for machines without them, or name them in `requires`"
            )

    def _breaks(self) -> None:
        for number, broken in enumerate(self.tool.breaks):
            for key in ("run", "undo", "expect"):
                if not getattr(broken, key).strip():
                    what = f"`{key}` of the break `{shown(broken.name, 60)}` is empty"
                    self._bad(("break", number, key), what, "say what breaks, and what is expected")

    def _services(self) -> None:
        apps = {app.name for app in self.tool.apps}
        for number, service in enumerate(self.tool.services):
            place: Place = ("service", number, "name")
            name = shown(service.name, 60)
            units = [] if service.of_os else [("service", f"{service.name}.service")]
            units += [("socket of", f"{service.name}.socket")] if service.socket else []
            for what, unit in units:
                file = self.tool.folder / "files" / unit
                if not file.is_file():
                    remedy = f"write it: {shown_path(file)}"
                    self._bad(place, f"the {what} `{name}` has no unit", remedy)
            if service.socket and (service.backend or service.of_os):
                what = f"the service `{name}` has a `socket` of its own and takes no proxy"
                remedy = "name `socket`, or `backend`; an OS unit takes `backend`"
                self._bad(("service", number, "socket"), what, remedy)
            if service.backend and not service.listen and service.name not in apps:
                what = f"nothing says where the service `{name}` is reached"
                self._bad(place, what, 'add `listen = ["127.0.0.1:PORT"]`, or an app of its name')
            if not service.backend and (service.listen or service.idle_s):
                what = f"the service `{name}` has no `backend`, where it listens itself"
                self._bad(place, what, "`listen` and `idle_s` are those of the proxy before it")
        self._stray_sockets()

    def _gates(self) -> None:
        behind = {service.name for service in self.tool.services if service.at_first_use}
        for number, app in enumerate(self.tool.apps):
            if app.gate and app.name not in behind:
                what = f"nothing stands behind the gate of the app `{shown(app.name, 60)}`"
                remedy = "add a service of its name that has a `backend`, or a `socket` of its own"
                self._bad(("app", number, "gate"), what, remedy)

    def _stray_sockets(self) -> None:
        """A socket in the folder that no service names would never be opened."""
        named = {f"{one.name}.socket" for one in self.tool.services if one.socket}
        for file in sorted((self.tool.folder / "files").glob("*.socket")):
            if file.name not in named:
                what = f"no service has the socket `{shown(file.name, 60)}`"
                self._bad((), what, f"add `socket = true` to the service `{shown(file.stem, 60)}`")

    def _example(self) -> None:
        for key in ("run", "prints"):
            if not getattr(self.tool.example, key).strip():
                self._bad(
                    ("example", key), f"`{key}` of the example is empty", "write one that runs"
                )

    def _files(self) -> None:
        named: list[tuple[Place, str]] = [
            (("file", number, "path"), one.path) for number, one in enumerate(self.tool.files)
        ]
        named += [
            (("kernel", number, "program"), one.program)
            for number, one in enumerate(self.tool.kernels)
            if one.program
        ]
        for place, path in named:
            file = self.tool.folder / "files" / PurePosixPath(path).name
            if not file.is_file():
                what = f"the file `{shown(path, 60)}` has no text"
                self._bad(place, what, f"write it: {shown_path(file)}")

    def _one_app(self) -> None:
        have = {
            "npm": self.tool.npm,
            "artifact": self.tool.artifact,
            "origin": self.tool.several or None,
        }
        names = [name for name, need in have.items() if need]
        if len(names) > 1:
            what = f"it has both `[{names[0]}]` and `[{names[1]}]`, and one folder for its files"
            self._bad((names[1],), what, "make two tools of it; one may `requires` the other")

    def _origins(self, bases: Collection[str]) -> None:
        for number, origin in enumerate(self.tool.several):
            place: Place = ("origin", number)
            if len(origin.kinds) != 1:
                what = "an origin is one of `artifact`, `debs`, `cran` and `conda`"
                self._bad(place, what, 'write it like `artifact = { url = "https://..." }`')
            elif origin.debs and origin.debs.base not in bases:
                near = nearest(origin.debs.base, bases)
                what = f"unknown base `{shown(origin.debs.base, 60)}`"
                hint = f"did you mean `{near}`?" if near else f"there are {', '.join(bases)}"
                self._bad((*place, "debs", "base"), what, hint)

    def _requires(self, tools: dict[str, Tool]) -> None:
        for number, name in enumerate(self.tool.requires):
            self._known_tool(("requires", number), name, tools)

    def _known_tool(self, place: Place, name: str, tools: Collection[str]) -> None:
        if name not in tools:
            near = nearest(name, tools)
            hint = f"did you mean `{near}`?" if near else "add its folder to the catalog"
            self._bad(place, f"unknown tool `{shown(name, 60)}`", hint)

    def _environment(self) -> None:
        need = self.tool.environment
        if need is None:
            return
        if not re.fullmatch(NAME_PATTERN, need.name):
            what = f"`{shown(need.name, 60)}` is no name of an environment"
            self._bad(("environment", "name"), what, "lower case letters, digits and hyphens only")
        if "cpu" not in need.variants:
            remedy = 'add `variants.cpu = ["..."]`: every machine has a CPU'
            self._bad(("environment", "variants"), "there is no variant `cpu`", remedy)
        for variant, texts in need.variants.items():
            for number, text in enumerate(texts):
                try:
                    requirement(text)
                except DsvmError as wrong:
                    place = ("environment", "variants", variant, number)
                    self._bad(place, wrong.what, wrong.remedy or "", wrong.cause)

    def _unique(self) -> None:
        """Names within the tool; compose looks at those of several tools together."""
        groups = {
            "check": [check.name for check in self.tool.checks],
            "break": [broken.name for broken in self.tool.breaks],
            "service": [service.name for service in self.tool.services],
            "app": [app.name for app in self.tool.apps],
            "file": [PurePosixPath(one.path).name for one in self.tool.files],
            "kernel": [kernel.name for kernel in self.tool.kernels],
        }
        for key, names in groups.items():
            for number, name in enumerate(names):
                if name in names[:number]:
                    what = f"there are two of `[[{key}]]` with the name `{shown(name, 60)}`"
                    self._bad((key, number), what, "give each a `name` of its own")
