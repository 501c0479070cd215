"""The systemd units of a tool's services, with those that start one at its first use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dsvm.catalog.model import App, Service, Tool
from dsvm.guest.places import DOORS
from dsvm.guest.seed import SeedUnit
from dsvm.machines.machine import LOGIN

# What it waits for may be slow, under emulation above all.
START_S = 600
SOCKET = """\
[Unit]
Description=First use of {name}

[Socket]
{listen}
"""
# Not the service's own unit: that one may come from an OS package, and takes no socket.
PROXY = """\
[Unit]
Description=First use of {name}: waits until it answers, then passes on
BindsTo={name}.service
After={name}.service

[Service]
Type=notify
{user}
TimeoutStartSec={start_s}
ExecStartPre=/usr/bin/dsvm-guest wait-for {backend}
ExecStart=/usr/lib/systemd/systemd-socket-proxyd {idle}{backend}
"""

GATE_SOCKET = """\
[Unit]
Description=Gate of {name}

[Socket]
ListenStream=127.0.0.1:{port}
"""
GATE = """\
[Unit]
Description=Gate of {name}: opens it to who has its token
Requires={name}-gate.socket
After={name}-gate.socket

[Service]
User={login}
ExecStart=/usr/bin/dsvm-guest gate {name}
"""


def units_of(tool: Tool) -> Iterator[SeedUnit]:
    """All units of the tool as the guest shall have them."""
    for service in tool.services:
        yield _service(service, tool.folder / "files")
        if service.socket:
            text = (tool.folder / "files" / f"{service.name}.socket").read_text(encoding="utf-8")
            yield SeedUnit(name=f"{service.name}.socket", text=text, enable=True)
        if service.backend:
            yield from _first_use(service, tool)
    for app in tool.apps:
        if app.gate:
            yield from _gate(app)


def backend_port(service: Service) -> int | None:
    """The port at which a service listens behind its proxy, if it is one."""
    if service.backend is None or service.backend.startswith("/"):
        return None
    return int(service.backend.rpartition(":")[2])


def _service(service: Service, files: Path) -> SeedUnit:
    name = f"{service.name}.service"
    text = "" if service.of_os else (files / name).read_text(encoding="utf-8")
    enable = service.enable and not service.at_first_use
    unit = SeedUnit(name=name, text=text, enable=enable)
    if service.of_os:
        unit["of_os"] = True
    if service.idle_s:
        unit["idle"] = True
    return unit


def _first_use(service: Service, tool: Tool) -> Iterator[SeedUnit]:
    apps = [app for app in tool.apps if app.name == service.name]
    gated = any(app.gate for app in apps)
    places = [
        str(DOORS / f"{app.name}.sock") if app.gate else f"127.0.0.1:{app.port}" for app in apps
    ]
    listen = service.listen or places
    socket = SOCKET.format(
        name=service.name, listen="\n".join(f"ListenStream={place}" for place in listen)
    )
    proxy = PROXY.format(
        name=service.name,
        start_s=START_S,
        # Nobody but the login may enter the folder of a backend that has no token of its own.
        user=f"User={LOGIN}" if gated else "DynamicUser=yes",
        backend=service.backend,
        idle=f"--exit-idle-time={service.idle_s}s " if service.idle_s else "",
    )
    yield SeedUnit(name=f"{service.door}.socket", text=socket, enable=True)
    yield SeedUnit(name=f"{service.door}.service", text=proxy, enable=False)


def _gate(app: App) -> Iterator[SeedUnit]:
    socket = GATE_SOCKET.format(name=app.name, port=app.port)
    yield SeedUnit(name=f"{app.name}-gate.socket", text=socket, enable=True)
    gate = GATE.format(name=app.name, login=LOGIN)
    yield SeedUnit(name=f"{app.name}-gate.service", text=gate, enable=False)
