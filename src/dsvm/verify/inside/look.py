"""Tells what a machine is: its state, speed, packages, kernels, units, ports. Standard library.

Called with the name of one question below; prints its answer as JSON. Run as root for `ports`
and `files`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import cache
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

STATE = Path("/run/dsvm/state.json")
CONFIG = Path("/var/lib/dsvm/config.json")
LAYERS = Path("/run/dsvm/layers")
DPKG = Path("/var/lib/dpkg/info")
ENVS = Path("/opt/dsvm/envs")
SECRETS = Path("/run/dsvm/apps")
KERNELS = Path("/usr/local/share/jupyter/kernels")
ROUNDS = 3
ANSWER_S = 30


def start(*services: str) -> dict[str, Any]:
    """What has to be known before any check runs. `loop_s`: how long a fixed loop of Python takes,
    the best of three; `asleep`: those of the services that do not run, for nobody has used them."""
    memory = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return {
        "state": json.loads(STATE.read_text()) if STATE.exists() else None,
        "cpus": len(os.sched_getaffinity(0)),
        "memory": int(memory.group(1)) * 1024 if memory else 0,
        "loop_s": min(_loop() for _ in range(ROUNDS)),
        "kernel": os.uname().release,
        "os": _os_name(),
        "asleep": [name for name in services if _property(name, "ActiveState") == "inactive"],
        "boot_s": _boot_s(),
        "services_memory_mib": sum(map(_held, Path("/proc").glob("[0-9]*"))) >> 10,
    }


def _boot_s() -> float | None:
    """From the first program of the system to the end of its boot, as `systemd-analyze time` has
    it; none while it boots. org.freedesktop.systemd1(5)."""
    names = ("UserspaceTimestampMonotonic", "FinishTimestampMonotonic")
    said = [_said("systemctl", "show", "--value", f"--property={name}").strip() for name in names]
    began, ended = (int(one or 0) for one in said)
    return round((ended - began) / 1e6, 2) if ended else None


def _held(process: Path) -> int:
    """KiB of memory that a process of the system holds for itself, not of files; none of what
    people run. proc_pid_status(5)."""
    try:
        if "/user.slice" in (process / "cgroup").read_text():
            return 0
        status = (process / "status").read_text()
    except OSError:  # it has ended
        return 0
    return sum(map(int, re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB$", status, re.M)))


def _loop() -> float:
    begin = time.perf_counter()
    total = 0
    for number in range(200_000):
        total += number * number
    return time.perf_counter() - begin


def _os_name() -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', Path("/etc/os-release").read_text(), re.M)
    return found.group(1) if found else "?"


def packages() -> list[list[str]]:
    """Name, version, architecture, status of every OS package (dpkg-query(1))."""
    fields = "${Package}\\t${Version}\\t${Architecture}\\t${db:Status-Status}\\n"
    return [line.split("\t") for line in _said("dpkg-query", "-W", "-f", fields).splitlines()]


def files(which: str) -> dict[str, Any]:
    """The files of OS packages that are not as their package has them, as `dpkg --verify` says,
    and how many packages were read for it: `all`, or `changed`.

    Reading all of them takes long on a slow disk. The image gives every file one and the same
    time of change (ctime), which the kernel sets anew whenever a file's content or name changes
    and which no program can set back: only packages with a file of another one, or with one that
    is missing, are read.
    """
    there = _package_files()
    suspects = _changed(there) if which == "changed" else list(there)
    lines = _said("dpkg", "--verify", *suspects).splitlines() if suspects else []
    ours = _unchanged_config()
    wrong = [line for line in lines if line.strip() and line.split(maxsplit=1)[-1] not in ours]
    return {"wrong": wrong, "packages": len(there), "read": len(suspects)}


def _unchanged_config() -> set[str]:
    """`c /etc/x` of each configuration file that is as a tool of the catalog has it."""
    written = json.loads(CONFIG.read_text()) if CONFIG.exists() else {}
    return {
        f"c {path}"
        for path, digest in written.items()
        if Path(path).is_file() and sha256(Path(path).read_bytes()).hexdigest() == digest
    }


def _changed(packages: dict[str, list[str]]) -> list[str]:
    """The packages that have a file whose time is not that of the image."""
    times = {name: [_changed_at(path) for path in paths] for name, paths in packages.items()}
    counts = Counter(time for found in times.values() for time in found)
    of_image = counts.most_common(1)[0][0] if counts else 0.0
    return [name for name, found in times.items() if any(one != of_image for one in found)]


def _package_files() -> dict[str, list[str]]:
    """Package -> its files with a checksum: deb-md5sums(5), and the configuration files."""
    found: dict[str, list[str]] = {}
    for sums in DPKG.glob("*.md5sums"):
        lines = sums.read_text(errors="surrogateescape").splitlines()
        found[sums.name.removesuffix(".md5sums")] = ["/" + line[34:] for line in lines]
    fields = "${binary:Package}\\n${Conffiles}\\n"
    package = ""
    for line in _said("dpkg-query", "-W", "-f", fields).splitlines():
        if line.startswith(" "):
            if not line.endswith(("obsolete", "remove-on-upgrade")):
                found.setdefault(package, []).append(line.split()[0])
        elif line:
            package = line
    return found


def _changed_at(path: str) -> float:
    try:
        return os.lstat(path).st_ctime
    except OSError:
        return -1.0


def environments() -> dict[str, Any]:
    """Of each environment's frozen layer: its distributions by version."""
    state = json.loads(STATE.read_text())
    found = {}
    for name, one in state["environments"].items():
        if one["layer"]:
            place = LAYERS / one["layer"] / "lib"
            infos = sorted(place.glob("python3*/site-packages/*.dist-info"))
            found[name] = dict(info.name.removesuffix(".dist-info").split("-", 1) for info in infos)
    return found


def conda(name: str) -> dict[str, str]:
    """Of a conda environment's frozen layer: its packages by version."""
    layer = json.loads(STATE.read_text())["environments"][name]["layer"]
    notes = (LAYERS / layer / "conda-meta").glob("*.json")
    said = [json.loads(note.read_text()) for note in notes]
    return {one["name"]: one["version"] for one in said}


def closed(environment: str) -> list[str]:
    """The folders of an environment into which packages go and this user may not write."""
    place = ENVS / environment
    folders = [place / "bin", *sorted(place.glob("lib/python3*/site-packages"))]
    return [str(one) for one in folders if not os.access(one, os.W_OK)]


def kernels() -> dict[str, Any]:
    """Every kernel spec; `starts` tells whether its program is there."""
    found: dict[str, Any] = {}
    for folder in sorted(KERNELS.glob("*")):
        try:
            spec = json.loads((folder / "kernel.json").read_text())
            spec["starts"] = os.access(spec["argv"][0], os.X_OK)
            found[folder.name] = spec
        except (OSError, ValueError, KeyError, IndexError) as wrong:
            found[folder.name] = {"unreadable": f"{type(wrong).__name__}: {wrong}"}
    return found


def units() -> dict[str, Any]:
    """The state of systemd, and every unit that failed with the end of its log."""
    listed = _said("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--full")
    names = [line.split()[0] for line in listed.splitlines() if line.strip()]
    return {"failed": {name: _log(name) for name in names}}


def unit(name: str, patience_s: str) -> dict[str, Any]:
    """One unit's state; while it is starting it is waited for."""
    late = time.monotonic() + float(patience_s)
    while True:
        shown = _said("systemctl", "show", "-p", "ActiveState,SubState,Result,LoadState", name)
        state = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        if state.get("ActiveState") not in ("activating", "reloading") or time.monotonic() > late:
            return {**state, "log": "" if state.get("ActiveState") == "active" else _log(name)}
        time.sleep(0.2)


def first_use(service: str, door: str, patience_s: str) -> dict[str, Any]:
    """Use a service for the first time: connect to where its socket waits, and see it start.

    `door` is the unit of the socket, without `.socket`: where it is not the service's own, a proxy
    of that name comes up once the service answers. `booted`: it ran before the boot was over.
    """
    socket_unit = unit(f"{door}.socket", "0")
    faults: list[str] = []
    told = {"socket": socket_unit, "booted": _ran_at_boot(service), "faults": faults}
    if socket_unit.get("ActiveState") != "active":
        return told
    late = time.monotonic() + float(patience_s)
    for place in _listens(f"{door}.socket"):
        with socket.socket(
            socket.AF_UNIX if isinstance(place, str) else socket.AF_INET, socket.SOCK_STREAM
        ) as using:
            using.settimeout(float(patience_s))
            try:
                using.connect(place)
            except OSError as failed:
                faults.append(f"{place}: {failed}")
                continue
            for name in dict.fromkeys([f"{service}.service", f"{door}.service"]):
                state = _once_active(name, late)
                if state.get("ActiveState") != "active":
                    said = f"{name} is {state.get('ActiveState')} ({state.get('Result')})"
                    faults.append(f"{said} after its first use: {state['log']}")
    return told


def _once_active(name: str, late: float) -> dict[str, Any]:
    """A unit that was asked for a moment ago may not have begun to start yet."""
    while True:
        state = unit(name, str(late - time.monotonic()))
        if state.get("ActiveState") != "inactive" or time.monotonic() > late:
            return state
        time.sleep(0.1)


def _listens(name: str) -> list[str | tuple[str, int]]:
    """The addresses at which a socket unit waits for streams."""
    found: list[str | tuple[str, int]] = []
    for line in _property(name, "Listen").splitlines():
        place, _, kind = line.rpartition(" ")
        if kind == "(Stream)":
            host, _, port = place.rpartition(":")
            found.append(place if place.startswith("/") else (host, int(port)))
    return found


def _ran_at_boot(service: str) -> bool:
    """Whether a service that runs was started while the machine booted."""
    began = int(_property(f"{service}.service", "InactiveExitTimestampMonotonic") or 0)
    finished = int(_said("systemctl", "show", "-P", "FinishTimestampMonotonic").strip() or 0)
    active = _property(f"{service}.service", "ActiveState") == "active"
    return active and 0 < began < finished


def _property(name: str, what: str) -> str:
    return _said("systemctl", "show", "-P", what, name).strip()


def _log(name: str) -> str:
    return _said("journalctl", "-u", name, "-n", "5", "-o", "cat", "--no-pager").strip()


def gate(app: str, port: str) -> dict[str, int]:
    """What the gate of an app answers with its token and without; the app itself is not woken.

    Raises `OSError` when nothing answers at its port.
    """
    lines = (SECRETS / f"{app}.env").read_text().splitlines()
    token = dict(line.split("=", 1) for line in lines)["DSVM_TOKEN"]
    asked = {
        "with": f"/dsvm-signin/{token}/",
        "without": "/",
        "another": f"/dsvm-signin/{token[1:]}/",
    }
    return {name: _status(int(port), path) for name, path in asked.items()}


def _status(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
    with closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


def ports() -> list[dict[str, Any]]:
    """Every socket that waits for others: protocol, address, port, program, user (ss(8)), and the
    OS package whose unit it belongs to."""
    found = []
    for line in _said("ss", "-H", "-l", "-t", "-u", "-n", "-p", "-e").splitlines():
        words = line.split()
        address, _, port = words[4].rpartition(":")
        program = re.search(r'users:\(\("([^"]+)",pid=(\d+)', line)
        user = re.search(r"\buid:(\d+)", line)
        found.append(
            {
                "protocol": words[0],
                "address": address.partition("%")[0].strip("[]"),
                "port": int(port) if port.isdigit() else 0,
                "program": program.group(1) if program else "?",
                "uid": int(user.group(1)) if user else 0,
                "package": _package_of(program.group(2)) if program else "",
            }
        )
    return found


@cache
def _package_of(process: str) -> str:
    """The OS package that brings the unit a process runs in; empty when none does."""
    try:
        unit = Path(f"/proc/{process}/cgroup").read_text().strip().rpartition("/")[2]
    except OSError:  # it has ended
        return ""
    place = _property(unit, "FragmentPath")
    if not place.startswith(("/usr/lib/", "/lib/")):
        return ""
    # A package may still name the place that it had before /lib was a link.
    return _said("dpkg", "-S", f"*{place.removeprefix('/usr')}").partition(":")[0]


def _said(*argv: str) -> str:
    """What a program says, whatever its status: `dpkg --verify` ends with 1 when it found some."""
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


QUESTIONS: dict[str, Callable[..., object]] = {
    question.__name__: question
    for question in (
        *(start, packages, files, environments, conda, closed, kernels),
        *(units, unit, first_use, gate, ports),
    )
}

if __name__ == "__main__":
    print(json.dumps(QUESTIONS[sys.argv[1]](*sys.argv[2:])))
