"""Names resolve as on the host, and a taken port is named."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dsvm.engines import network
from dsvm.engines.network import RESOLVER, PortTaken, check_ports, resolv_conf
from dsvm.engines.nspawn.network import _argv


@pytest.fixture
def no_stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host without systemd-resolved; return where its list would be."""
    monkeypatch.setattr(network, "STUB", tmp_path / "upstream")
    return tmp_path / "upstream"


def test_resolvers_of_the_network_are_the_machines_too(no_stub: Path, tmp_path: Path) -> None:
    text = "search lab.example\nnameserver 192.0.2.53\n"
    (tmp_path / "resolv.conf").write_text(text)

    assert resolv_conf(tmp_path / "resolv.conf") == text


def test_a_resolver_on_the_loopback_is_reached_by_another_address(
    no_stub: Path, tmp_path: Path
) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\nsearch lab.example\n")

    found = resolv_conf(tmp_path / "resolv.conf")

    assert found == f"nameserver {RESOLVER}\nsearch lab.example\n"


def test_resolved_tells_the_resolvers_behind_its_stub(no_stub: Path, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    no_stub.write_text("nameserver 192.0.2.53\n")

    assert resolv_conf(tmp_path / "resolv.conf") == "nameserver 192.0.2.53\n"


def test_a_host_without_resolv_conf_is_no_error(no_stub: Path, tmp_path: Path) -> None:
    assert RESOLVER in resolv_conf(tmp_path / "absent")


def test_a_taken_port_is_named_with_what_it_was_for() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        with pytest.raises(PortTaken) as refused:
            check_ports({8888: taken})

    assert f"port {taken} of this host is taken" in str(refused.value)
    assert "8888" in str(refused.value)


def test_pasta_opens_ports_on_the_loopback_only_and_hides_the_hosts_own() -> None:
    argv = _argv(Path("/netns"), {22: 2201, 8888: 2202}, forward_dns=False)

    assert argv[argv.index("-t") + 1] == "127.0.0.1/2201:22,2202:8888"
    assert "--no-map-gw" in argv
    assert argv[argv.index("-T") + 1] == "none"
    assert "--dns-forward" not in argv
