"""What a machine inherits: what is of the host alone stays out, secrets are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.catalog.load import load_catalog
from dsvm.guest.seed import SeedNetwork
from dsvm.machines import authorities, inherit, inherit_apt, inherit_npm, inherit_python
from dsvm.machines.hostonly import is_host_only
from dsvm.machines.inherit import Inherited

AUTHORITY = """-----BEGIN CERTIFICATE-----
MIIBlDCCATmgAwIBAgIUQQgmyaE34dL93zdhPyCLvdQq7oEwCgYIKoZIzj0EAwIw
HjEcMBoGA1UEAwwTZHN2bSB0ZXN0IGF1dGhvcml0eTAgFw0yNjExMjMyMjE1MDBa
GA8yMTI2MTAzMDIyMTUwMFowHjEcMBoGA1UEAwwTZHN2bSB0ZXN0IGF1dGhvcml0
eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIP/Zi1QQEW9cSKWocjj+qS614l3
uafY7+I7F0QTqkjmMoYGOKDrQWWqWfVradYj34NkYRDivVbFkb2RLsx8hPajUzBR
MB0GA1UdDgQWBBQpWietg0JqnG/J96yleMV7jI1/zTAfBgNVHSMEGDAWgBQpWiet
g0JqnG/J96yleMV7jI1/zTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kA
MEYCIQDR75yyjCFmFLvpPAUHB8cUWyN0lDEwAThIeNU8oJzAXgIhAOy6CzbtuPn0
IQPdfNQenDxvRru7GQC6USzAHNFT2a45
-----END CERTIFICATE-----
"""
NO_AUTHORITY = """-----BEGIN CERTIFICATE-----
MIIBhjCCASygAwIBAgIUZUZ9wnwK4pv8WRO8FD64DwhgVLAwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOZHN2bSB0ZXN0IGhvc3QwIBcNMjYxMTIzMjIxNTAxWhgPMjEy
NjEwMzAyMjE1MDFaMBkxFzAVBgNVBAMMDmRzdm0gdGVzdCBob3N0MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEm0zAAptFH1duYK9u49u9qGH6AsSWBOW6r6wxqWdf
1I27FiQVgEJEto5NXF/qw2wHDs9q9Y2s96bUYsXV8PJH76NQME4wHQYDVR0OBBYE
FB/iTXF6pvAU3VMmBDQ9YudT9W4FMB8GA1UdIwQYMBaAFB/iTXF6pvAU3VMmBDQ9
YudT9W4FMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDSAAwRQIhAMQ5Wr55EgCL
L7FXKHgNHXfZc/9rvuQtjPRIYeINdY+4AiArL/+s9l3+H68ZMy6PdnpTdAW/QzOH
lCN+8PzwlX+qRA==
-----END CERTIFICATE-----
"""


def added(tmp_path: Path, environment: dict[str, str] | None = None) -> str:
    for name in ("added", "system", "package"):
        (tmp_path / name).mkdir(exist_ok=True)
    return authorities.added(
        environment or {},
        folders=[tmp_path / "added"],
        system=tmp_path / "system",
        package=tmp_path / "package",
    )


@pytest.mark.parametrize("place", ["added/lab.crt", "system/lab.pem"])
def test_an_authority_that_an_administrator_added_is_passed_on(tmp_path: Path, place: str) -> None:
    added(tmp_path)
    (tmp_path / place).write_text(AUTHORITY)

    assert added(tmp_path) == AUTHORITY


def test_an_authority_of_the_distribution_is_not(tmp_path: Path) -> None:
    added(tmp_path)
    (tmp_path / "package" / "known.crt").write_text(AUTHORITY)
    bundle = tmp_path / "bundle.crt"
    bundle.write_text(AUTHORITY)

    assert added(tmp_path, {"SSL_CERT_FILE": str(bundle)}) == ""


def test_a_bundle_that_a_variable_names_is_looked_into_once(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("# lab\n" + AUTHORITY + AUTHORITY)
    named = {"SSL_CERT_FILE": str(bundle), "REQUESTS_CA_BUNDLE": str(bundle)}

    assert added(tmp_path, named) == AUTHORITY


def test_a_hosts_own_certificate_and_rubbish_are_no_authorities(tmp_path: Path) -> None:
    added(tmp_path)
    (tmp_path / "added" / "snakeoil.crt").write_text(NO_AUTHORITY)
    (tmp_path / "added" / "broken.crt").write_text(AUTHORITY.replace("MII", "XXX"))

    assert added(tmp_path) == ""


@pytest.mark.parametrize(
    ("address", "host_only"),
    [
        ("/opt/wheels", True),
        ("file:///opt/simple", True),
        ("http://localhost:3141/simple", True),
        ("http://127.0.0.1:3128", True),
        ("http://[::1]:3128", True),
        ("localhost:3128", True),
        ("https://mirror.lab/simple", False),
        ("http://ann:word@proxy.lab:3128", False),
        ("proxy.lab:3128", False),
        ("http://10.0.0.7:3128", False),
    ],
)
def test_an_address_of_this_host_alone_is_known(address: str, host_only: bool) -> None:
    assert is_host_only(address) is host_only


def test_proxies_reach_programs_of_either_habit_and_spare_the_machine_itself() -> None:
    found = Inherited()
    variables = {"HTTPS_PROXY": "http://proxy.lab:3128", "no_proxy": ".lab"}

    inherit._proxies(variables, found)

    assert found.environment == {
        "https_proxy": "http://proxy.lab:3128",
        "HTTPS_PROXY": "http://proxy.lab:3128",
        "no_proxy": ".lab,localhost,127.0.0.1,::1",
        "NO_PROXY": ".lab,localhost,127.0.0.1,::1",
    }


def test_a_proxy_on_the_loopback_is_left_out_and_named() -> None:
    found = Inherited()

    inherit._proxies({"http_proxy": "http://ann:word@127.0.0.1:3128"}, found)

    assert found.environment == {}
    assert found.left_out == ["http_proxy = http://***@127.0.0.1:3128: it is only on the host"]


def python(
    pip: dict[str, str], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Inherited:
    monkeypatch.setattr(inherit_python, "pip_settings", lambda: pip)
    monkeypatch.setattr(inherit_python, "_uv_file", lambda found: False)
    found = Inherited()
    inherit_python.collect({}, variables, found)
    return found


def test_pips_index_is_told_to_uv_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pip = {"index-url": "https://mirror.lab/simple", "timeout": "60", "cert": "/etc/lab.pem"}

    found = python(pip, {}, monkeypatch)

    assert "index-url = https://mirror.lab/simple\n" in found.files["/etc/pip.conf"]
    assert "cert" not in found.files["/etc/pip.conf"]
    assert found.environment == {"UV_DEFAULT_INDEX": "https://mirror.lab/simple"}
    assert found.bundles == [Path("/etc/lab.pem")]


def test_an_index_with_a_password_is_never_in_a_file_that_all_may_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pip = {"index-url": "https://ann:word@mirror.lab/simple", "timeout": "60"}

    found = python(pip, {}, monkeypatch)

    assert "word" not in "".join(found.files.values())
    assert found.environment["PIP_INDEX_URL"] == pip["index-url"]
    network = SeedNetwork(certificates="", environment=found.environment, files=found.files)
    assert "word" not in str(inherit.shown(network))


def test_folders_of_wheels_are_noted_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = python({"find-links": "/opt/wheels https://wheels.lab/"}, {}, monkeypatch)

    text = found.files["/etc/pip.conf"]
    assert "find-links = https://wheels.lab/\n" in text
    assert "# not inherited: pip find-links = /opt/wheels" in text
    assert found.environment == {"UV_FIND_LINKS": "https://wheels.lab/"}


def test_uvs_own_variables_win_over_pips(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"UV_INDEX": "lab=https://uv.lab/simple", "UV_INDEX_LAB_PASSWORD": "word"}

    found = python({"index-url": "https://pip.lab/simple"}, variables, monkeypatch)

    assert found.environment == variables


def test_npms_registry_and_token_go_different_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "npmrc"
    file.write_text(
        "registry=https://npm.lab/\n//npm.lab/:_authToken=${TOKEN}\ncafile=/etc/lab.pem\nfund=false\n"
    )
    found = Inherited()

    inherit_npm.collect({}, {"NPM_CONFIG_USERCONFIG": str(file), "TOKEN": "word"}, found)

    assert found.files["~/.npmrc"].endswith("//npm.lab/:_authToken=word\n")
    assert "registry=https://npm.lab/" in found.files["/etc/npmrc"]
    assert "word" not in found.files["/etc/npmrc"]
    assert found.environment == {"NPM_CONFIG_REGISTRY": "https://npm.lab/"}
    assert found.bundles == [Path("/etc/lab.pem")]


def test_apt_gets_its_own_suites_from_the_hosts_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    base = load_catalog().bases["debian-13"]
    mirror = "https://ann:word@mirror.lab/debian"
    known = (mirror, "http://mirror.lab/debian-security")
    monkeypatch.setattr(inherit_apt, "host_mirrors", lambda: known)
    monkeypatch.setattr(inherit_apt, "_dump", list)
    found = Inherited()

    inherit_apt.collect(base, {}, found)

    sources = found.files["/etc/apt/sources.list.d/debian.sources"]
    assert "URIs: https://mirror.lab/debian\nSuites: trixie trixie-updates\n" in sources
    assert "word" not in sources
    logins = found.files["/etc/apt/auth.conf.d/90dsvm.conf"]
    assert "machine https://mirror.lab/debian login ann password word\n" in logins


def test_without_a_mirror_of_the_hosts_the_distributions_own_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inherit_apt, "host_mirrors", lambda: ("http://mirror.lab/debian",))
    monkeypatch.setattr(inherit_apt, "_dump", list)
    found = Inherited()

    inherit_apt.collect(load_catalog().bases["debian-13"], {}, found)

    assert found.files == {}


def test_apts_proxy_comes_from_apt_else_from_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Inherited(environment={"http_proxy": "http://proxy.lab:3128"})
    monkeypatch.setattr(inherit_apt, "_dump", list)
    inherit_apt._settings(found)
    assert 'Acquire::http::Proxy "http://proxy.lab:3128";' in found.files[inherit_apt.SETTINGS]

    dump = ['Acquire::http::Proxy "http://apt.lab:1";', 'Acquire::http::Proxy::local "DIRECT";']
    monkeypatch.setattr(inherit_apt, "_dump", lambda: dump)
    inherit_apt._settings(found)
    assert found.files[inherit_apt.SETTINGS].splitlines()[1:] == dump
