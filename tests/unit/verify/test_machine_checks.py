"""The machine compared with its lock: what is a failure, and what the person's own change."""

from __future__ import annotations

from dsvm.lock.model import OsPackage
from dsvm.verify.machine_checks import compare_os, judge_files, judge_ports
from dsvm.verify.tool_checks import first_use_faults, gate_fault, kernel_fault

PYTHON = "/opt/dsvm/envs/base/bin/python"


def deb(name: str, version: str) -> OsPackage:
    return OsPackage(
        name=name,
        version=version,
        architecture="amd64",
        sha256="0" * 64,
        size=1,
        source="debian/trixie",
        path=f"pool/{name}.deb",
    )


def test_packages_as_locked_are_no_fault() -> None:
    found = compare_os([deb("git", "1.0")], {"git": "1.0"})

    assert (found.faults, found.changes) == ([], [])


def test_a_missing_and_another_version_fail_an_added_one_does_not() -> None:
    locked = [deb("git", "1.0"), deb("vim", "9.1")]

    found = compare_os(locked, {"vim": "9.2", "htop": "3"})

    assert found.faults == [
        "not installed: git",
        "another version than locked: vim 9.2, locked 9.1",
    ]
    assert found.changes == ["OS package htop 3 was added"]


def test_many_faults_are_counted() -> None:
    found = compare_os([deb(f"lib{n}", "1") for n in range(9)], {})

    assert found.faults == ["not installed: lib0, lib1, lib2, lib3, lib4 and 4 more"]


def test_a_changed_or_missing_file_of_a_package_fails() -> None:
    found = judge_files(["??5??????   /usr/bin/git", "missing     /usr/share/x y"])

    assert found.faults == [
        "files of OS packages: /usr/bin/git is not as its package has it, /usr/share/x y is missing"
    ]


def test_a_changed_configuration_is_the_persons_own() -> None:
    found = judge_files(["??5?????? c /etc/vim/vimrc"])

    assert (found.faults, found.changes) == ([], ["configuration /etc/vim/vimrc was changed"])


def test_what_the_guest_itself_configures_is_nobodys_change() -> None:
    assert judge_files(["??5?????? c /etc/pam.d/sshd"]).changes == []


def socket(address: str, port: int, uid: int = 0) -> dict[str, object]:
    return {"protocol": "tcp", "address": address, "port": port, "program": "x", "uid": uid}


def test_an_undeclared_port_of_the_system_fails() -> None:
    found = judge_ports([socket("0.0.0.0", 22), socket("127.0.0.1", 631)], {22})

    assert found.faults == ["x listens on tcp 127.0.0.1:631"]


def test_only_the_networks_own_client_may_wait_for_an_address() -> None:
    client = socket("192.0.2.2", 68, 998) | {"protocol": "udp", "program": "systemd-network"}
    other = client | {"program": "dnsmasq"}

    assert judge_ports([client, client | {"port": 546}], {22}).faults == []
    assert judge_ports([other], {22}).faults == ["dnsmasq listens on udp 192.0.2.2:68"]


def test_a_persons_server_is_told_when_others_reach_it() -> None:
    found = judge_ports([socket("127.0.0.1", 5555, 1000), socket("0.0.0.0", 80, 1000)], {22})

    assert (found.faults, found.changes) == ([], ["x listens on tcp 0.0.0.0:80"])


def test_a_server_of_a_package_that_a_person_asked_for_is_theirs() -> None:
    redis = socket("127.0.0.1", 6379, 101) | {"package": "redis-server"}
    open_to_all = redis | {"address": "0.0.0.0"}

    asked = judge_ports([redis, open_to_all], {22}, packages={"redis-server"})

    assert (asked.faults, asked.changes) == ([], ["x listens on tcp 0.0.0.0:6379"])
    assert judge_ports([redis], {22}, packages={"nginx"}).faults != []


def test_a_kernel_spec_must_start_its_own_environment() -> None:
    spec: dict[str, object] = {"argv": ["/usr/bin/python3", "-m", "x"], "starts": True}

    assert kernel_fault("base", [PYTHON], spec) == (
        f"kernel `base` starts `/usr/bin/python3` and not `{PYTHON}`"
    )
    assert kernel_fault("base", [PYTHON], {"argv": [PYTHON, "-m"], "starts": True}) is None


def test_a_kernel_that_is_missing_broken_or_without_program_is_named() -> None:
    assert "not registered" in str(kernel_fault("base", [PYTHON], None))
    assert "cannot be read" in str(kernel_fault("base", [PYTHON], {"unreadable": "KeyError"}))
    assert "cannot be started" in str(
        kernel_fault("base", [PYTHON], {"argv": [PYTHON], "starts": False})
    )


def test_a_service_may_listen_at_its_ports_on_the_loopback_only() -> None:
    def socket(address: str) -> dict[str, object]:
        return {"protocol": "tcp", "address": address, "port": 5432, "program": "pg", "uid": 101}

    assert judge_ports([socket("127.0.0.1")], {22}, {5432}).faults == []
    assert judge_ports([socket("0.0.0.0")], {22}, {5432}).faults == [
        "pg listens on tcp 0.0.0.0:5432"
    ]
    assert judge_ports([socket("127.0.0.1")], {22}).faults != []


ASLEEP = {"socket": {"ActiveState": "active"}, "booted": False, "faults": []}


def test_a_service_that_the_boot_started_did_not_wait_for_its_first_use() -> None:
    ran = {**ASLEEP, "booted": True}

    assert first_use_faults("a.service", "a", True, ASLEEP) == []
    assert first_use_faults("a.service", "a", False, ASLEEP) == []  # somebody uses it
    assert first_use_faults("a.service", "a", False, ran) == ["a.service ran before its first use"]


def test_a_socket_that_is_not_open_is_the_first_thing_told() -> None:
    shut = {"socket": {"ActiveState": "failed", "Result": "trigger-limit-hit", "log": "too often"}}

    assert first_use_faults("a.service", "a-first-use", True, shut) == [
        "a-first-use.socket is failed (trigger-limit-hit): too often"
    ]


def test_a_gate_signs_in_who_has_the_token_and_nobody_else() -> None:
    assert gate_fault("board", {"with": 303, "without": 403, "another": 403}) is None
    shut = gate_fault("board", {"with": 403, "without": 403, "another": 403})
    assert shut == "the gate of board answers 403 to its token"
    for leak in ("without", "another"):
        told = {"with": 303, "without": 403, "another": 403, leak: 200}
        assert str(gate_fault("board", told)).startswith("board opens without its token")
