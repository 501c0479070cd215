"""A service that starts at its first use: which units the machine gets for it."""

from __future__ import annotations

from pathlib import Path

from dsvm.catalog.load import load_catalog
from dsvm.catalog.model import App, Service, Tool
from dsvm.machines.seed_units import backend_port, units_of


def tool(folder: Path, service: Service, *apps: App) -> Tool:
    (folder / "files").mkdir()
    for suffix in ("service", "socket"):
        (folder / "files" / f"lake.{suffix}").write_text(f"the {suffix}")
    known = load_catalog().tools["git"]
    return known.model_copy(update={"folder": folder, "services": [service], "apps": list(apps)})


def units(made: Tool) -> dict[str, tuple[str, bool]]:
    return {unit["name"]: (unit["text"], unit["enable"]) for unit in units_of(made)}


def test_a_service_without_a_socket_is_started_by_the_boot(tmp_path: Path) -> None:
    assert units(tool(tmp_path, Service(name="lake"))) == {"lake.service": ("the service", True)}


def test_only_the_socket_is_enabled(tmp_path: Path) -> None:
    made = tool(tmp_path, Service(name="lake", socket=True))

    assert units(made) == {
        "lake.service": ("the service", False),
        "lake.socket": ("the socket", True),
    }


def test_a_proxy_waits_at_the_port_of_the_app_and_leads_to_the_backend(tmp_path: Path) -> None:
    service = Service(name="lake", backend="127.0.0.1:15000", idle_s=9)

    made = units(tool(tmp_path, service, App(name="lake", port=5000)))

    assert {name: enable for name, (_, enable) in made.items()} == {
        "lake.service": False,
        "lake-first-use.socket": True,
        "lake-first-use.service": False,
    }
    assert "ListenStream=127.0.0.1:5000\n" in made["lake-first-use.socket"][0]
    proxy = made["lake-first-use.service"][0]
    assert "BindsTo=lake.service\nAfter=lake.service\n" in proxy
    assert proxy.endswith("systemd-socket-proxyd --exit-idle-time=9s 127.0.0.1:15000\n")
    assert backend_port(service) == 15000


def test_a_unit_of_an_os_package_has_no_text_and_is_not_started(tmp_path: Path) -> None:
    service = Service(name="lake", of_os=True, backend="/run/lake", listen=["/run/door"])

    first, socket, _ = units_of(tool(tmp_path, service))

    assert first == {"name": "lake.service", "text": "", "enable": False, "of_os": True}
    assert "ListenStream=/run/door\n" in socket["text"]
    assert backend_port(service) is None


def test_a_gate_stands_before_the_door_of_an_app(tmp_path: Path) -> None:
    service = Service(name="lake", backend="/run/lake/socket")
    made = units(tool(tmp_path, service, App(name="lake", port=5000, gate=True)))

    assert "ListenStream=127.0.0.1:5000\n" in made["lake-gate.socket"][0]
    assert made["lake-gate.socket"][1] is True
    assert "ExecStart=/usr/bin/dsvm-guest gate lake\n" in made["lake-gate.service"][0]
    assert "ListenStream=/run/dsvm/doors/lake.sock\n" in made["lake-first-use.socket"][0]
    proxy = made["lake-first-use.service"][0]
    assert "User=ds\n" in proxy
    assert "DynamicUser" not in proxy
