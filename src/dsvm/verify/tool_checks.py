"""The jobs of one tool: its own checks, and that its services and kernels are what they must be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any

from dsvm.catalog.model import App, Check, Service, Tool
from dsvm.definition.sizes import parse_bytes
from dsvm.errors import DsvmError
from dsvm.machines.machine import LOGIN
from dsvm.machines.ssh import RemoteFailed, SshFailed
from dsvm.verify.model import CheckResult
from dsvm.verify.outcome import Ended, judge
from dsvm.verify.schedule import Job
from dsvm.verify.scratch import Packed
from dsvm.verify.setting import Setting

RUNNERS = {".R": ("/usr/bin/Rscript", "--vanilla"), ".sh": ("/bin/bash",)}
UNIT_START_S = 30
CONNECTION_S = 30
EXAMPLE_S = 60
SAID = 600
FIGURE_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


def jobs_of(tool: Tool, setting: Setting, *, example: bool = False) -> Iterator[Job]:
    """All jobs of a tool, those that tell a cause most plainly first; also its `example`?"""
    checks = tool.checks_beside([other.name for other in setting.tools])
    if why := setting.absent.get(tool.name):
        for check in checks:
            yield Job(f"{tool.name}: {check.name}", partial(_absent, tool, check, why))
        return
    for service in tool.services:
        if service.at_first_use:
            work = partial(_first_use, tool, service, setting)
            yield Job(f"{tool.name}: {service.name}.service", work, expect_s=UNIT_START_S)
        elif service.enable:
            unit = f"{service.name}.service"
            yield Job(f"{tool.name}: {unit}", partial(_unit, tool, unit, setting))
    for app in tool.apps:
        if app.gate:
            yield Job(f"{tool.name}: gate of {app.name}", partial(_gate, tool, app, setting))
    if _kernels(tool):
        yield Job(f"{tool.name}: kernel", partial(_kernel_specs, tool, setting))
    if tool.environment:
        yield Job(f"{tool.name}: write permission", partial(_writable, tool, setting))
    for number, check in enumerate(checks):
        if unreached := [setting.absent[name] for name in check.beside if name in setting.absent]:
            work = partial(_absent, tool, check, unreached[0])
            yield Job(f"{tool.name}: {check.name}", work)
            continue
        yield Job(
            f"{tool.name}: {check.name}",
            partial(check_of, tool, check, f"{tool.name}-{number}", setting, tool.lives_in),
            memory=parse_bytes(check.memory),
            expect_s=check.timeout_s,
        )
    if example:
        memory = max(parse_bytes(check.memory) for check in checks)
        yield Job(f"{tool.name}: example", partial(_example, tool, setting), memory=memory)


def _absent(tool: Tool, check: Check, why: str) -> CheckResult:
    """Nothing of the tool is in the machine, so there is nothing that could pass or fail."""
    reason = f"unreachable: {why}"
    return CheckResult(
        tool=tool.name, check=check.name, outcome="not_tested", reason=reason, seconds=0.0
    )


def check_of(
    owner: Packed, check: Check, name: str, setting: Setting, environment: str | None = None
) -> CheckResult:
    """Run a check that lies in the owner's folder, in its environment (else in `environment`), as
    `name` among those that run beside it."""
    begin = time.monotonic()
    environment = check.environment or environment
    state = setting.environments.get(environment or "", {})
    variant = state.get("variant")
    figures: tuple[str, ...] = ()
    if environment and not variant:
        told = state.get("error") or "the machine does not know it"
        ended = Ended("failed", f"environment `{environment}` is not mounted: {told}")
    else:
        ended, figures = _run(owner, check, name, environment, variant, setting)
    return CheckResult(
        tool=owner.name,
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
    owner: Packed,
    check: Check,
    name: str,
    environment: str | None,
    variant: str | None,
    setting: Setting,
) -> tuple[Ended, tuple[str, ...]]:
    place = setting.scratch
    told = _told(
        [*_runner(check.run, environment), f"{place.tool(owner.name)}/{check.run}"],
        name,
        check.timeout_s * setting.patience,
        setting,
        {
            "DSVM_SAMPLES": f"{place.tool(owner.name)}/samples",
            "DSVM_ENVIRONMENT": environment or "",
            "DSVM_VARIANT": variant or "cpu",
            "MPLCONFIGDIR": f"{place.work(name)}/.matplotlib",
            "PYTHONNOUSERSITE": "1",
            "PYTHONPATH": f"{place.folder}/inside/lib",
        },
    )
    if isinstance(told, Ended):
        return told, ()
    # The scratch folder has another name each time: it tells nobody anything.
    told["stderr"] = told["stderr"].replace(f"{place.folder}/tools/", "")
    figures = tuple(
        f"data:{FIGURE_TYPES[PurePosixPath(file).suffix]};base64,{data}"
        for file, data in told["figures"].items()
    )
    return judge(told, timeout_s=check.timeout_s * setting.patience, variant=variant), figures


def _told(
    command: list[str], name: str, timeout_s: float, setting: Setting, env: Mapping[str, str]
) -> dict[str, Any] | Ended:
    """What `run_check.py` tells of a program, or why it could not be run."""
    place = setting.scratch
    asked = {
        "command": command,
        "folder": place.work(name),
        "timeout_s": timeout_s,
        # Nothing that is proven must leave byte code in the overlay that is looked at.
        "env": {"PYTHONDONTWRITEBYTECODE": "1", **env},
    }
    limit = timeout_s + CONNECTION_S * setting.patience
    try:
        told: dict[str, Any] = place.program("run_check.py", json.dumps(asked), timeout_s=limit)
    except SshFailed as lost:
        return Ended("failed", f"SSH to the machine broke off: {lost.cause or lost.what}")
    except (RemoteFailed, ValueError) as broken:
        reason = getattr(broken, "cause", None) or str(broken)
        return Ended("failed", f"the check could not be run: {reason}")
    return told


def _example(tool: Tool, setting: Setting) -> CheckResult:
    """The example of the tool's page, typed as a person does in `dsvm ssh`."""
    begin = time.monotonic()
    limit = EXAMPLE_S * setting.patience
    typed = ["/bin/bash", "-lc", f"cd && {{ {tool.example.run}\n}} 2>&1"]
    told = _told(typed, f"{tool.name}-example", limit, setting, {})
    if isinstance(told, Ended):
        reason = told.reason
    elif tool.example.prints in told["stdout"]:
        reason = None
    else:
        ended = f"did not end within {limit:.0f} s" if told["timed_out"] else "ended"
        said = told["stdout"].strip()[-SAID:] or "nothing"
        reason = f"`{tool.example.run}` {ended}, and does not say `{tool.example.prints}`: {said}"
    return _result(tool, "example", reason, begin)


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


def _first_use(tool: Tool, service: Service, setting: Setting) -> CheckResult:
    """Nothing runs before somebody connects; then it starts and answers."""
    begin = time.monotonic()
    unit = f"{service.name}.service"
    asleep = unit in setting.start["asleep"]
    patience = str(UNIT_START_S * setting.patience)
    words = (service.name, service.door, patience)
    try:
        told = setting.scratch.ask("first_use", *words, timeout_s=float(patience) + 60)
        reason = "; ".join(first_use_faults(unit, service.door, asleep, told)) or None
    except DsvmError as failed:
        reason = failed.cause or failed.what
    before = {"before its first use": "inactive" if asleep else "in use"}
    result = _result(tool, f"service {unit} starts at its first use", reason, begin)
    return result.model_copy(update={"measurements": before})


def first_use_faults(unit: str, door: str, asleep: bool, told: Mapping[str, Any]) -> list[str]:
    """What is wrong with a service that shall start at its first use; `told` by `look.py`."""
    socket = told["socket"]
    if socket.get("ActiveState") != "active":
        log = f": {socket['log']}" if socket.get("log") else ""
        return [f"{door}.socket is {socket.get('ActiveState')} ({socket.get('Result')}){log}"]
    # It may be in use by now, but not by the boot.
    booted = [f"{unit} ran before its first use"] if told["booted"] and not asleep else []
    return [*booted, *told["faults"]]


def _gate(tool: Tool, app: App, setting: Setting) -> CheckResult:
    """The gate signs in who has the token, and nobody else."""
    begin = time.monotonic()
    try:
        told = setting.scratch.ask("gate", app.name, str(app.port))
        reason = gate_fault(app.name, told)
    except DsvmError as failed:
        said = (failed.cause or failed.what).strip().splitlines()[-1]
        reason = f"the gate of {app.name} does not answer: {said}"
    return _result(tool, f"gate of {app.name}", reason, begin)


def gate_fault(app: str, told: Mapping[str, int]) -> str | None:
    """What is wrong with the answers of a gate, by `look.py`; or None."""
    if told["with"] != HTTPStatus.SEE_OTHER:
        return f"the gate of {app} answers {told['with']} to its token"
    others = {told["without"], told["another"]}
    return f"{app} opens without its token: {told}" if others != {HTTPStatus.FORBIDDEN} else None


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
