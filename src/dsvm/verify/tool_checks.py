"""The jobs of one tool: its own checks, and that its services and kernels are what they must be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

from dsvm.catalog.model import Check, Tool
from dsvm.definition.sizes import parse_bytes
from dsvm.errors import DsvmError
from dsvm.machines.machine import LOGIN
from dsvm.machines.ssh import RemoteFailed, SshFailed
from dsvm.verify.model import CheckResult
from dsvm.verify.outcome import Ended, judge
from dsvm.verify.schedule import Job
from dsvm.verify.setting import Setting

RUNNERS = {".R": ("/usr/bin/Rscript", "--vanilla"), ".sh": ("/bin/bash",)}
UNIT_START_S = 30
CONNECTION_S = 30
FIGURE_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


def jobs_of(tool: Tool, setting: Setting) -> Iterator[Job]:
    """All jobs of a tool, those that tell a cause most plainly first."""
    for service in tool.services:
        if service.enable:
            unit = f"{service.name}.service"
            yield Job(f"{tool.name}: {unit}", partial(_unit, tool, unit, setting))
    if _kernels(tool):
        yield Job(f"{tool.name}: kernel", partial(_kernel_specs, tool, setting))
    if tool.environment:
        yield Job(f"{tool.name}: write permission", partial(_writable, tool, setting))
    for number, check in enumerate(tool.checks):
        yield Job(
            f"{tool.name}: {check.name}",
            partial(_check, tool, check, f"{tool.name}-{number}", setting),
            memory=parse_bytes(check.memory),
            expect_s=check.timeout_s,
        )


def _check(tool: Tool, check: Check, name: str, setting: Setting) -> CheckResult:
    begin = time.monotonic()
    environment = check.environment or (tool.environment.name if tool.environment else None)
    state = setting.environments.get(environment or "", {})
    variant = state.get("variant")
    figures: tuple[str, ...] = ()
    if environment and not variant:
        told = state.get("error") or "the machine does not know it"
        ended = Ended("failed", f"environment `{environment}` is not mounted: {told}")
    else:
        ended, figures = _run(tool, check, name, environment, variant, setting)
    return CheckResult(
        tool=tool.name,
        check=check.name,
        environment=environment,
        variant=variant,
        device=ended.device,
        outcome=ended.outcome,
        reason=ended.reason,
        seconds=round(time.monotonic() - begin, 3),
        versions=ended.versions,
        measurements=ended.measurements,
        figures=figures,
    )


def _run(
    tool: Tool,
    check: Check,
    name: str,
    environment: str | None,
    variant: str | None,
    setting: Setting,
) -> tuple[Ended, tuple[str, ...]]:
    place = setting.scratch
    timeout_s = check.timeout_s * setting.patience
    asked = {
        "command": [*_runner(check.run, environment), f"{place.tool(tool.name)}/{check.run}"],
        "folder": place.work(name),
        "timeout_s": timeout_s,
        "env": {
            "DSVM_SAMPLES": f"{place.tool(tool.name)}/samples",
            "DSVM_ENVIRONMENT": environment or "",
            "DSVM_VARIANT": variant or "cpu",
            "MPLCONFIGDIR": f"{place.work(name)}/.matplotlib",
            # A check must not leave byte code in the overlay it looks at.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
        },
    }
    try:
        told = place.program(
            "run_check.py", json.dumps(asked), timeout_s=timeout_s + CONNECTION_S * setting.patience
        )
    except SshFailed as lost:
        return Ended("failed", f"SSH to the machine broke off: {lost.cause or lost.what}"), ()
    except (RemoteFailed, ValueError) as broken:
        reason = getattr(broken, "cause", None) or str(broken)
        return Ended("failed", f"the check could not be run: {reason}"), ()
    # The scratch folder has another name each time: it tells nobody anything.
    told["stderr"] = told["stderr"].replace(f"{place.folder}/tools/", "")
    figures = tuple(
        f"data:{FIGURE_TYPES[PurePosixPath(file).suffix]};base64,{data}"
        for file, data in told["figures"].items()
    )
    return judge(told, timeout_s=timeout_s, variant=variant), figures


def _runner(program: str, environment: str | None) -> tuple[str, ...]:
    suffix = PurePosixPath(program).suffix
    if suffix in RUNNERS:
        return RUNNERS[suffix]
    return (f"/opt/dsvm/envs/{environment}/bin/python" if environment else "/usr/bin/python3",)


def _unit(tool: Tool, unit: str, setting: Setting) -> CheckResult:
    begin = time.monotonic()
    patience = str(UNIT_START_S * setting.patience)
    reason: str | None = None
    try:
        state = setting.scratch.ask("unit", unit, patience, timeout_s=float(patience) + 60)
        if state.get("ActiveState") != "active":
            reason = f"{unit} is {state.get('ActiveState')} ({state.get('Result')})"
            reason += f": {state['log']}" if state.get("log") else ""
    except DsvmError as failed:
        reason = failed.cause or failed.what
    return _result(tool, f"service {unit}", reason, begin)


def _kernels(tool: Tool) -> dict[str, list[str]]:
    """The tool's kernels and how each must be started: whole, or only its program."""
    found = {kernel.name: kernel.argv for kernel in tool.kernels}
    if tool.environment and tool.environment.kernel:
        name = tool.environment.name
        found[name] = [f"/opt/dsvm/envs/{name}/bin/python"]
    return found


def _kernel_specs(tool: Tool, setting: Setting) -> CheckResult:
    begin = time.monotonic()
    try:
        there = setting.scratch.ask("kernels")
        faults = [
            fault
            for name, argv in _kernels(tool).items()
            if (fault := kernel_fault(name, argv, there.get(name)))
        ]
        reason = "; ".join(faults) or None
    except DsvmError as failed:
        reason = failed.cause or failed.what
    return _result(tool, "kernel spec", reason, begin)


def _writable(tool: Tool, setting: Setting) -> CheckResult:
    """The login may install into and remove from the environment; what it lacks is named."""
    begin = time.monotonic()
    assert tool.environment
    try:
        closed = setting.scratch.ask("closed", tool.environment.name)
        reason = f"{LOGIN} may not write to {', '.join(closed)}" if closed else None
    except DsvmError as failed:
        reason = failed.cause or failed.what
    return _result(tool, "write permission", reason, begin)


def kernel_fault(name: str, argv: list[str], spec: dict[str, object] | None) -> str | None:
    """What is wrong with a kernel's spec, or None. `argv`: how it must begin."""
    if spec is None:
        return f"kernel `{name}` is not registered"
    if "unreadable" in spec:
        return f"kernel `{name}`: kernel.json cannot be read: {spec['unreadable']}"
    there = spec["argv"]
    assert isinstance(there, list)
    if there[: len(argv)] != argv:
        shown = " ".join(map(str, there[: len(argv)]))
        return f"kernel `{name}` starts `{shown}` and not `{' '.join(argv)}`"
    return None if spec["starts"] else f"kernel `{name}`: {argv[0]} cannot be started"


def _result(tool: Tool, check: str, reason: str | None, begin: float) -> CheckResult:
    return CheckResult(
        tool=tool.name,
        check=check,
        outcome="failed" if reason else "passed",
        reason=reason,
        seconds=round(time.monotonic() - begin, 3),
    )
