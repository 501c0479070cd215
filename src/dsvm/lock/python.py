"""Resolves Python environments by uv: wheels only, with hashes, for the machine's own Python."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import uv

from dsvm import scratch
from dsvm.catalog.compose import EnvironmentPlan
from dsvm.catalog.model import PythonSource, SourceOnly
from dsvm.definition.model import Variant
from dsvm.errors import DsvmError
from dsvm.fetch import client, public, size_of
from dsvm.home import Home
from dsvm.lock.clash import explained, find_clash
from dsvm.lock.hints import Hints
from dsvm.lock.model import LockedEnvironment, PythonPackage
from dsvm.lock.pythonhost import PythonHost
from dsvm.lock.variants import NO_OTHER, Beside
from dsvm.lock.wheels import Target, Wheel, read_pylock
from dsvm.patience import LONGER, patient
from dsvm.programs import ProgramFailed, TimedOut, run

HOST = PythonSource(name="pypi")
TargetOf = Callable[[str | None], tuple[Target, str | None]]
"""The target that a Python version means (None: the machine's own), and which interpreter."""

_PROBE_S = 8.0
_TIMEOUT_S = 600.0
_SILENCE_S = 30.0


@dataclass(frozen=True)
class Resolver:
    """Resolves environments with the host's configuration; `overrides` is `[sources]`.

    With `refresh` index pages are asked anew that uv's cache still holds for fresh (10 minutes
    where the index does not say how long).
    """

    host: PythonHost
    home: Home
    hints: Hints
    overrides: Mapping[str, str] = field(default_factory=dict)
    refresh: bool = False

    def environment(
        self,
        plan: EnvironmentPlan,
        variant: Variant,
        target_of: TargetOf,
        old: Sequence[PythonPackage] = (),
        beside: Beside = NO_OTHER,
    ) -> LockedEnvironment:
        """Lock one variant from the first of its sources that has it.

        `old` are pins that are kept where they still fit; what another build has `beside` goes
        before them. Raises `DsvmError` with what every
        source said when none has it.
        """
        sources = [source for source in plan.sources if variant in source.variants] or [HOST]
        tried: list[str] = []
        failed: DsvmError | None = None
        attempt: tuple[PythonSource, Target] | None = None
        for source in sources:
            python = plan.python or source.python
            target, interpreter = target_of(python)
            if unfit := self._unfit(source):
                tried.append(f"{source.name}: {unfit}")
                continue
            try:
                wheels = self._compile(plan, variant, source, target, old, beside)
            except ProgramFailed as fault:
                failed = fault
                late = isinstance(fault, TimedOut)
                attempt = None if late else (source, target)
                why = "did not answer in time" if late else "does not have what is needed"
                tried.append(f"{source.name}: {why}")
                continue
            packages = tuple(self._package(wheel, source) for wheel in wheels)
            return LockedEnvironment(
                name=plan.name,
                variant=variant,
                python="{}.{}".format(*target.python),
                interpreter=interpreter,
                requirements=plan.requirements[variant],
                packages=packages,
                source=source.name,
                why="; ".join([*tried, _taken(source, packages, target)]),
                source_only=plan.source_only,
            )
        if attempt and (error := self._clash(plan, variant, *attempt)):
            raise error
        raise _unresolved(plan, variant, tried, failed, self.host.env.get("UV_DEFAULT_INDEX", ""))

    def _clash(
        self, plan: EnvironmentPlan, variant: Variant, source: PythonSource, target: Target
    ) -> DsvmError | None:
        """Which tools cannot live together; None if that is not what is wrong."""
        asked = plan.asked.get(variant, {})
        if len(asked) < 2:
            return None

        def solve(texts: Sequence[str]) -> list[Wheel]:
            only = replace(plan, requirements={variant: tuple(texts)})
            return self._compile(only, variant, source, target, (), NO_OTHER)

        try:
            clash = find_clash(asked, solve)
        except TimedOut:
            return None
        return explained(clash, plan.name, variant, asked) if clash else None

    def find_again(
        self,
        packages: Collection[PythonPackage],
        target: Target,
        source: PythonSource,
        source_only: Sequence[SourceOnly] = (),
    ) -> list[Wheel]:
        """Where the source has exactly these packages now. Raises `DsvmError`."""
        names = [package.name for package in packages]
        pins = [f"{package.name}=={package.version}" for package in packages]
        places, flat = self._places(source)
        only = dict.fromkeys(names, places) if places else {}
        return self._uv(
            pins,
            target,
            find_links=True,
            only=only,
            flat=flat,
            source_only=source_only,
            more=["--no-deps"],
        )

    def _unfit(self, source: PythonSource) -> str | None:
        """Why the source cannot be asked at all."""
        if source.host == "find-links" and not self.host.find_links:
            return "none configured on this host"
        index = self._address(source)
        if index is None:
            return None
        if index.startswith("file:"):
            there = Path(unquote(urlsplit(index).path)).is_dir()
            return None if there else "no such folder"
        try:
            with client(timeout_s=patient(_PROBE_S)) as http:
                for package in source.packages[:1]:
                    if http.get(f"{index.rstrip('/')}/{package}/").status_code >= 400:
                        return f"has no {package}"
        except (httpx.HTTPError, httpx.InvalidURL):
            return "not reached"
        return None

    def _address(self, source: PythonSource) -> str | None:
        return self.overrides.get(source.name, source.index)

    def _places(self, source: PythonSource) -> tuple[list[str], bool]:
        """Where the source's own packages come from (nowhere special: none); folders of wheels?"""
        if source.host == "find-links":
            return list(self.host.find_links), True
        index = self._address(source)
        return [index] if index else [], False

    def _compile(
        self,
        plan: EnvironmentPlan,
        variant: Variant,
        source: PythonSource,
        target: Target,
        old: Sequence[PythonPackage],
        beside: Beside,
    ) -> list[Wheel]:
        """Resolve with the old versions and those of the other build; if they do not go together,
        near them."""
        places, flat = self._places(source)
        resolve = partial(
            self._uv,
            plan.requirements[variant],
            target,
            # A CPU build in the host's find-links would win over an index's build of the same
            # version, so a source that is an index is asked without them.
            find_links=source is HOST,
            only=dict.fromkeys(source.packages, places) if places else {},
            flat=flat,
            limits=plan.constraints,
            source_only=plan.source_only,
            log=self.home.logs / f"lock-{plan.name}-{variant}.log",
        )
        known = {one.name: one for one in [*beside.others, *old, *beside.firm]}
        if known:
            # Preferences alone are not enough: with several indexes uv 0.13 takes another version
            # where the first index that has the preferred one has no fitting wheel of it.
            with suppress(ProgramFailed):
                return resolve(constraints=list(known.values()))
        return resolve(constraints=beside.firm, preferences=old)

    def _uv(
        self,
        requirements: Sequence[str],
        target: Target,
        *,
        find_links: bool,
        only: Mapping[str, Sequence[str]] | None = None,
        flat: bool = False,
        limits: Sequence[str] = (),
        constraints: Sequence[PythonPackage] = (),
        preferences: Sequence[PythonPackage] = (),
        source_only: Sequence[SourceOnly] = (),
        more: Sequence[str] = (),
        log: Path | None = None,
    ) -> list[Wheel]:
        """Run `uv pip compile`.

        `only` are packages that must come from these addresses, `limits` a person's own
        constraints (`-c`), `constraints` old pins that must stay, `preferences` those that may.
        `source_only` packages are taken as archives, and never run to ask what they require.
        """
        self.home.cache.mkdir(parents=True, exist_ok=True)
        python = "{}.{}".format(*target.python)
        # uv reads settings of the folder it runs in and above: it shall find none of ours.
        with scratch.folder("lock") as folder:
            project = folder / "pyproject.toml"
            text = _project(requirements, python, only or {}, flat) + _told(source_only)
            project.write_text(text, "utf-8")
            pylock = folder / "pylock.toml"
            if preferences:
                pylock.write_text(_pylock(preferences), "utf-8")
            pins = folder / "constraints.txt"
            names = {_normal(one.package) for one in source_only}
            kept = [f"{pin.name}=={pin.version}" for pin in constraints]
            pins.write_text("".join(f"{line}\n" for line in [*limits, *kept]), "utf-8")
            run(
                [
                    *(uv.find_uv_bin(), "pip", "compile", project.name),
                    *("--format", "pylock.toml", "--output-file", pylock.name),
                    *("--constraints", pins.name),
                    *("--python", sys.executable, "--python-version", python),
                    *("--python-platform", target.uv_platform, "--only-binary", ":all:"),
                    *(word for name in sorted(names) for word in ("--no-binary", name)),
                    *("--cache-dir", self.home.cache / "uv", "--no-python-downloads"),
                    *("--quiet", "--system-certs", *more),
                    *(["--refresh"] if self.refresh else []),
                ],
                cwd=folder,
                env={**_silence(), **self.host.uv_env(find_links=find_links)},
                log=log,
                timeout_s=patient(_TIMEOUT_S),
            )
            return read_pylock(pylock, target, names)

    def _package(self, wheel: Wheel, source: PythonSource) -> PythonPackage:
        own = wheel.name in {_normal(name) for name in source.packages}
        self.hints.add(wheel.sha256, wheel.url)
        return PythonPackage(
            name=wheel.name,
            version=wheel.version,
            file=wheel.file,
            sha256=wheel.sha256,
            size=size_of(wheel.url) if wheel.size is None else wheel.size,
            source=source.name if own else HOST.name,
        )


def _silence() -> dict[str, str]:
    """How long uv waits for an index to go on, unless the host says so."""
    if os.environ.get("UV_HTTP_TIMEOUT"):
        return {}
    return {"UV_HTTP_TIMEOUT": str(math.ceil(patient(_SILENCE_S)))}


def _project(
    requirements: Sequence[str], python: str, only: Mapping[str, Sequence[str]], flat: bool
) -> str:
    """A pyproject.toml for uv. Only there can a package be bound to one index.

    Such an index is `explicit`: no other package is ever taken from it, and the package from
    nowhere else.
    """
    lines = [
        "[project]",
        'name = "dsvm-environment"',
        'version = "0"',
        f'requires-python = "=={python}.*"',
        f"dependencies = {json.dumps(list(requirements))}",
    ]
    for number, (package, places) in enumerate(only.items()):
        place = _holding(places, package) if flat else places[0]
        lines += [
            "[[tool.uv.index]]",
            f'name = "source-{number}"',
            f"url = {json.dumps(place)}",
            "explicit = true",
            *(['format = "flat"'] if flat else []),
            f"[tool.uv.sources.{json.dumps(package)}]",
            f'index = "source-{number}"',
        ]
    return "\n".join(lines) + "\n"


def _told(source_only: Sequence[SourceOnly]) -> str:
    """What these packages require, for uv, in whatever version."""
    return "".join(
        f"[[tool.uv.dependency-metadata]]\nname = {json.dumps(_normal(one.package))}\n"
        f"requires-dist = {json.dumps(one.needs)}\n"
        for one in source_only
    )


def _holding(places: Sequence[str], package: str) -> str:
    """The first folder that has a wheel of the package; else the first place."""
    for place in places:
        folder = Path(place.removeprefix("file://"))
        names = (path.name.partition("-")[0] for path in folder.glob("*.whl"))
        if _normal(package) in map(_normal, names):
            return place
    return places[0]


def _pylock(old: Sequence[PythonPackage]) -> str:
    """uv keeps the versions of an output file that is there already, where they still fit."""
    pins = (f'[[packages]]\nname = "{pin.name}"\nversion = "{pin.version}"\n' for pin in old)
    return 'lock-version = "1.0"\ncreated-by = "dsvm"\n' + "".join(pins)


def _taken(source: PythonSource, packages: Sequence[PythonPackage], target: Target) -> str:
    python = "{}.{}".format(*target.python)
    names = {_normal(name) for name in source.packages}
    own = [f"{package.name} {package.version}" for package in packages if package.name in names]
    return f"{source.name}: {', '.join(own) or 'taken'} for Python {python}"


def _unresolved(
    plan: EnvironmentPlan,
    variant: Variant,
    tried: Sequence[str],
    failed: DsvmError | None,
    index: str,
) -> DsvmError:
    said = failed.output.strip() or failed.what if isinstance(failed, ProgramFailed) else ""
    said = said.replace("dsvm-environment", f"environment `{plan.name}`")
    asked = f"tools: {', '.join(plan.tools)}" if plan.tools else "[environments] in dsvm.toml"
    return DsvmError(
        f"environment `{plan.name}` ({variant}) cannot be locked",
        cause="\n".join([*(tried if len(tried) > 1 else ()), said]).strip(),
        # uv takes a login page in the index's place for an index of nothing, and does not name it.
        remedy=f"change its requirements ({asked}), or see that a source that has them is reached"
        + (f" (asked: {public(index)})" if index else "")
        + (f"; {LONGER}" if isinstance(failed, TimedOut) else ""),
        log=failed.log if failed else None,
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
