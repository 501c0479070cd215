"""The host's pip and uv settings, as they reach uv."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.lock.pythonhost import python_host


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host without any setting; its one pip file is the one returned."""
    import os

    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "XDG_CONFIG")) or name in ("SSL_CERT_FILE", "ALL_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "pip.conf"
    monkeypatch.setattr("dsvm.lock.pythonhost._pip_files", lambda: [file])
    return file


def test_a_host_that_says_nothing_leaves_uv_its_defaults() -> None:
    assert python_host({}).uv_env(find_links=True) == {}


def test_pips_file_reaches_uv(bare: Path) -> None:
    bare.write_text(
        "[global]\nindex-url = https://a/simple\nfind-links = /w1\n  https://b/w2\n"
        "cert = /ca.pem\n[install]\nextra-index-url = file:///x https://y/simple\n"
    )
    host = python_host({})
    assert host.find_links == ("/w1", "https://b/w2")
    assert host.uv_env(find_links=False) == {
        "UV_DEFAULT_INDEX": "https://a/simple",
        "UV_INDEX": "file:///x https://y/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/ca.pem",
    }
    assert host.uv_env(find_links=True)["UV_FIND_LINKS"] == "/w1,https://b/w2"


def test_pips_environment_wins_over_its_file(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.write_text("[global]\nindex-url = https://file/simple\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://environment/simple")
    assert python_host({}).env == {"UV_DEFAULT_INDEX": "https://environment/simple"}


def test_uvs_own_settings_win_over_pips(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.write_text("[global]\nindex-url = https://pip/simple\nfind-links = /pip\n")
    monkeypatch.setenv("UV_FIND_LINKS", "/uv")
    host = python_host({})
    assert (host.find_links, dict(host.env)) == (("/uv",), {})


def test_the_definition_wins_over_all(bare: Path) -> None:
    bare.write_text("[global]\nindex-url = https://pip/simple\nfind-links = /pip\n")
    host = python_host({"pypi": "https://lab/simple"})
    assert host.uv_env(find_links=True) == {"UV_DEFAULT_INDEX": "https://lab/simple"}


def test_a_broken_pip_file_is_passed_over(bare: Path) -> None:
    bare.write_text("index-url = no section\n")
    assert python_host({}).env == {}


def test_the_definitions_wheels_replace_the_hosts(bare: Path) -> None:
    bare.write_text("[global]\nindex-url = https://pip/simple\nfind-links = /pip\n")
    host = python_host({"find-links": "/lab"})
    assert (host.find_links, host.env["UV_DEFAULT_INDEX"]) == (("/lab",), "https://pip/simple")
