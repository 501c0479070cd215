"""What this host can do, with a remedy on each line that says no."""

from __future__ import annotations

import os
import platform
import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

from dsvm.engines.base import Engine, Unusable, Usable
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.host import facts, giving, sources
from dsvm.host.finding import Finding
from dsvm.host.packages import INSTALL, installed_by_dsvm, missing, needs
from dsvm.programs import ProgramFailed, run
from dsvm.progress import Progress

Fact = Callable[[], Finding]
PROBE_TIMEOUT_S = 180.0
VERSIONS = (
    ("mmdebstrap", ["mmdebstrap", "--version"]),
    ("systemd-nspawn", ["systemd-nspawn", "--version"]),
    ("qemu-img", ["qemu-img", "--version"]),
    ("qemu-system-x86_64", ["qemu-system-x86_64", "--version"]),
    ("bwrap", ["bwrap", "--version"]),
    ("pasta", ["pasta", "--version"]),
)


def examine(home: Home, engines: Sequence[Engine], progress: Progress) -> list[Finding]:
    """Everything, in the order to be read. Probes of engines boot for real: seconds each."""
    facts_of_host: list[Fact] = [
        facts.system,
        facts.cpus,
        facts.memory,
        lambda: facts.disk(home),
        facts.gpu,
        facts.user_namespaces,
        facts.machines_at_once,
        facts.kvm,
    ]
    with progress.step("looking at the host"), ThreadPoolExecutor(8) as pool:
        reached = [pool.submit(source) for source in sources.ALL]
        found = [engine_finding(engine, home) for engine in engines]
        found += [fact() for fact in facts_of_host]
        found += giving.findings(engines)
        found += [line for future in reached for line in future.result()]
    return [*found, *package_findings(engines, home), *version_findings()]


def usable(findings: Sequence[Finding]) -> bool:
    """Whether any engine can run a machine here."""
    return any(line.ok for line in findings if line.group == "engines")


def engine_finding(engine: Engine, home: Home) -> Finding:
    lacking = missing(needs(engine, root=os.geteuid() == 0))
    began = time.monotonic()
    answer = _probed(engine)
    took = time.monotonic() - began
    if isinstance(answer, Unusable):
        remedy = answer.remedy
        if lacking and not remedy:
            remedy = "`dsvm up` installs " + ", ".join(sorted({n.package for n in lacking}))
        return Finding(
            engine.name, False, answer.reason, remedy=remedy, seconds=took, group="engines"
        )
    return Finding(engine.name, True, "usable", notes=answer.notes, seconds=took, group="engines")


def _probed(engine: Engine) -> Usable | Unusable:
    """The engine's own answer; a probe that hangs (a kernel may) does not hang the doctor."""
    answers: queue.SimpleQueue[Usable | Unusable] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(engine.probe())
        except DsvmError as failed:
            answers.put(Unusable(failed.cause or failed.what, failed.remedy))

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=PROBE_TIMEOUT_S)
    except queue.Empty:
        return Unusable(f"its probe did not end within {PROBE_TIMEOUT_S:.0f} s")


def package_findings(engines: Sequence[Engine], home: Home) -> list[Finding]:
    root = os.geteuid() == 0
    lines = [
        Finding(package, True, f"installed by dsvm: {why}", group="packages")
        for package, why in sorted(installed_by_dsvm(home).items())
    ]
    wanted = {need.package: need for engine in engines for need in needs(engine, root=root)}
    for need in missing(list(wanted.values())):
        lines.append(
            Finding(
                need.package,
                None,
                f"not installed yet: {need.why}",
                remedy="`dsvm up` installs what the chosen engine and the build need"
                if root
                else f"sudo {INSTALL} {need.package}",
                group="packages",
            )
        )
    return lines


def version_findings() -> list[Finding]:
    found = [
        Finding("dsvm", None, metadata_version("dsvm"), group="versions"),
        Finding("Python", None, platform.python_version(), group="versions"),
        Finding("uv", None, metadata_version("uv"), group="versions"),
    ]
    for name, argv in VERSIONS:
        if shutil.which(argv[0]):
            try:
                first = run(argv, timeout_s=10).stdout.strip().splitlines()[:1]
            except ProgramFailed:
                continue
            found.append(Finding(name, None, first[0] if first else "?", group="versions"))
    return found


def metadata_version(package: str) -> str:
    if package == "dsvm":
        from dsvm import __version__

        return __version__
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
