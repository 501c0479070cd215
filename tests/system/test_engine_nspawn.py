"""A machine lives and dies as one, apart from its host."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from dsvm.engines.base import AttachedLayer, Mount, Usable
from dsvm.engines.nspawn import probe
from dsvm.engines.nspawn.engine import NspawnEngine
from dsvm.engines.nspawn.plan import Places
from dsvm.engines.storage import DiskInUse
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.machines.disk import check_disk, grow_disk
from dsvm.machines.machine import Machine
from tests.system.spare import GIB, Spare, command, family, plan_of, spare, trace

GONE_S = 10.0
LAYER = Path(probe.__file__).with_name("probe.erofs")
SINCE_BOOT = "systemctl show -p UserspaceTimestampMonotonic"
PARTS = {
    "the outer supervisor": "nspawn.supervisor",
    "the inner supervisor": "nspawn.supervisor",
    "the storage daemon": "qemu-storage-daemon",
    "pasta": "pasta",
    "systemd-nspawn": "systemd-nspawn",
}


@pytest.fixture(scope="module")
def lab(small: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spare]:
    """One machine for all of these tests; each starts it as it needs it."""
    folder = tmp_path_factory.mktemp("mounts")
    writable, protected = folder / "data", folder / "protected"
    for place in (writable, protected):
        place.mkdir()
        (place / "hello").write_text("from the host\n")
    for path in (writable, writable / "hello"):
        os.chown(path, 4321, 4321)
    mounts = (Mount(writable, "/srv/data", False), Mount(protected, "/srv/protected", True))
    with spare(small, "engine-lab", mounts=mounts) as machine:
        yield machine


@pytest.fixture
def running(lab: Spare) -> Spare:
    if lab.engine.running(lab.machine) is None:
        lab.start()
    return lab


def outer(machine: Spare) -> int:
    found = machine.engine.running(machine.machine)
    assert found is not None
    return found.pid


def await_gone(machine: Spare, processes: frozenset[int]) -> None:
    """Everything but empty control groups, which the next question removes."""
    deadline = time.monotonic() + GONE_S
    while any((left := trace(machine, processes), left.processes, left.mounts, left.loops)[1:]):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)
    assert machine.engine.running(machine.machine) is None
    assert trace(machine, processes).groups == ()


def test_the_probe_really_boots_within_seconds(small: Machine) -> None:
    engine = NspawnEngine(small.home)
    began = time.monotonic()

    answer = engine.probe(force=True)

    assert isinstance(answer, Usable), answer
    assert time.monotonic() - began < 15


def test_a_probe_leaves_nothing_behind(tmp_path: Path) -> None:
    answer = NspawnEngine(Home(tmp_path)).probe(force=True)

    assert isinstance(answer, Usable), answer
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["probes"]
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("part", PARTS)
def test_a_machine_dies_as_one_when_a_part_is_killed(lab: Spare, part: str) -> None:
    if lab.engine.running(lab.machine) is None:
        lab.start()
    lab.run("echo kept > ~/before; sync")
    first = outer(lab)
    processes = family(first)
    fitting = [pid for pid in sorted(processes) if PARTS[part] in command(pid).split(" --")[0]]
    chosen = [pid for pid in fitting if (pid == first) == (part == "the outer supervisor")]
    assert len(chosen) == 1, [command(pid) for pid in processes]

    os.kill(chosen[0], signal.SIGKILL)

    await_gone(lab, processes)
    check_disk(lab.machine.disk)
    lab.start()
    assert lab.run("cat ~/before") == "kept\n"


def test_a_stopped_machine_leaves_a_clean_disk_and_nothing_else(running: Spare) -> None:
    processes = family(outer(running))
    running.run("dd if=/dev/urandom of=unsynced bs=1M count=50; sha256sum unsynced > sum")

    running.stop()

    await_gone(running, processes)
    check_disk(running.machine.disk)
    running.start()
    assert "unsynced: OK" in running.run("sha256sum -c sum")


def test_a_machine_that_does_not_power_off_is_killed_in_time_and_put_away(running: Spare) -> None:
    processes = family(outer(running))
    unit = "[Service]\nExecStart=sleep inf\nExecStop=sleep 600\nTimeoutStopSec=600\n"
    running.run(f"printf '{unit}' > /run/systemd/system/stuck.service", root=True)
    running.run("systemctl daemon-reload; systemctl start stuck", root=True)
    began = time.monotonic()

    running.engine.stop(running.machine, 2)

    assert 2 <= time.monotonic() - began < 10
    await_gone(running, processes)
    check_disk(running.machine.disk)


def test_reboot_inside_comes_back_as_the_same_machine(running: Spare) -> None:
    pid = outer(running)
    boot = running.run(SINCE_BOOT)
    with suppress(DsvmError):  # the connection ends with the machine
        running.run("systemctl reboot", root=True)
    running.ssh.close()
    deadline = time.monotonic() + 30

    while True:
        time.sleep(0.5)
        assert time.monotonic() < deadline
        try:
            if (
                running.run("systemctl show -p UserspaceTimestampMonotonic; stat -c %Y /run")
                != boot
            ):
                break
        except DsvmError:
            running.ssh.close()

    assert outer(running) == pid


def test_a_second_start_is_refused(running: Spare) -> None:
    with pytest.raises(DsvmError, match="running already"):
        running.engine.start(replace(running.machine, ports={}))


def test_the_disk_of_a_running_machine_is_refused_to_others(running: Spare) -> None:
    with pytest.raises(DiskInUse):
        check_disk(running.machine.disk)
    with pytest.raises(DiskInUse):
        grow_disk(running.machine.disk, 3 * GIB, running.machine.root_offset)


def test_a_taken_port_is_named(running: Spare, small: Machine) -> None:
    with spare(small, "engine-second") as second:
        taken = replace(second.machine, ports=running.machine.ports)

        with pytest.raises(DsvmError, match=f"port {running.machine.ports[22]} .* is taken"):
            second.engine.start(taken)


def test_machines_side_by_side_have_networks_of_their_own(running: Spare, small: Machine) -> None:
    with spare(small, "engine-second") as second:
        second.start()

        assert outer(second) != outer(running)
        # The same port in both, at once.
        for machine in (running, second):
            machine.run("systemd-run -q python3 -m http.server 8000 --bind 127.0.0.1", root=True)
        assert plan_of(running)["uid_base"] != plan_of(second)["uid_base"]
        time.sleep(1)
        for machine in (running, second):
            said = machine.run("systemctl is-active 'run-*.service'; ss -ltn", check=False)
            assert "127.0.0.1:8000" in said


def test_the_hosts_loopback_is_not_reached_from_inside(running: Spare) -> None:
    script = (
        "import socket, subprocess\n"
        "gateway = subprocess.run(['ip', 'route', 'show', 'default'], capture_output=True,"
        " text=True).stdout.split()[2]\n"
        f"for address in ('127.0.0.1', gateway):\n"
        "    try:\n"
        f"        socket.create_connection((address, {running.machine.ports[22]}), 2)\n"
        "        print('reached', address)\n"
        "    except OSError:\n"
        "        print('no')\n"
    )

    assert running.run(f'python3 -c "{script}"') == "no\nno\n"


def test_names_resolve_inside_as_on_the_host(running: Spare) -> None:
    inside = running.run("cat /etc/resolv.conf")

    assert "nameserver" in inside


def test_root_inside_reaches_no_device_and_no_setting_of_the_host(running: Spare) -> None:
    script = """
    mknod /root/disk b 7 0 && echo made a node
    mount -t devtmpfs none /mnt && test -e /mnt/kmsg && dd if=/mnt/kmsg count=0 && echo devtmpfs
    echo 1 > /proc/sys/vm/drop_caches && echo dropped caches
    echo h > /proc/sysrq-trigger && test -e /proc/1/root/proc/sysrq-trigger && echo sysrq
    for f in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do
      test -e $f && echo 9999999999999 > $f && echo raised the limit
    done
    rm -f /proc/sysrq-trigger
    echo end
    """

    said = running.run(script, root=True, check=False)

    for forbidden in ("made a node", "devtmpfs\n", "dropped caches", "raised the limit"):
        assert forbidden not in said, said
    assert said.endswith("end\n")


def test_with_a_user_namespace_root_inside_is_nobody_outside(running: Spare) -> None:
    base = plan_of(running)["uid_base"]
    if base is None:
        pytest.skip("no user namespace on this host")

    assert Path(f"/proc/{_leader(running)}").stat().st_uid == base


def test_a_layer_attached_while_it_runs_is_there_at_once(running: Spare) -> None:
    digest = "cd" * 32
    running.engine.attach(running.machine, (AttachedLayer(digest, LAYER),))

    assert f" /run/dsvm/layers/{digest} erofs ro" in running.run("cat /proc/mounts")
    assert "Read-only" in running.run(f"touch /run/dsvm/layers/{digest}/x", root=True, check=False)


def test_a_mounted_folder_belongs_to_the_login_and_its_files_to_the_hosts_owner(
    running: Spare,
) -> None:
    running.run("cat /srv/data/hello; echo new > /srv/data/new")

    made = running.machine.mounts[0].source / "new"
    assert made.read_text() == "new\n"
    assert (made.stat().st_uid, made.stat().st_gid) == (4321, 4321)


def test_root_inside_changes_a_mounted_folders_files_and_creates_none(running: Spare) -> None:
    """Its owner is nobody on the host: docs/troubleshooting.md says so in these words."""
    source = running.machine.mounts[0].source
    running.run("echo one > /srv/data/changed; echo one > /srv/data/removed")

    running.run("echo two >> /srv/data/changed; rm /srv/data/removed", root=True)
    refused = running.run("touch /srv/data/made-by-root", root=True, check=False)
    as_login = running.run("sudo -u ds touch /srv/data/made-as-ds", root=True)

    assert (source / "changed").read_text() == "one\ntwo\n"
    assert not (source / "removed").exists()
    assert as_login == ""
    assert (source / "made-as-ds").stat().st_uid == 4321
    assert "Value too large for defined data type" in refused
    assert not (source / "made-by-root").exists()


def test_a_protected_folder_is_read_only_for_root_too(running: Spare) -> None:
    assert running.run("cat /srv/protected/hello") == "from the host\n"
    assert "Read-only" in running.run("touch /srv/protected/x", root=True, check=False)


def test_a_missing_folder_is_named_and_nothing_is_left_running(small: Machine) -> None:
    absent = Mount(small.home.root / "absent", "/srv/absent", False)
    with spare(small, "engine-absent", mounts=(absent,)) as machine:
        with pytest.raises(DsvmError, match="there is no such folder"):
            machine.start()

        assert machine.engine.running(machine.machine) is None


def _leader(machine: Spare) -> int:
    """The machine's first process: number 1 two pid namespaces below ours."""
    for pid in sorted(family(outer(machine))):
        status = Path(f"/proc/{pid}/status").read_text()
        numbers = status.split("NSpid:")[1].splitlines()[0].split()
        if numbers[2:] == ["1"]:
            return pid
    raise AssertionError("no first process")


def test_init_answers_however_much_it_had_to_tell(running: Spare) -> None:
    """Each reload makes init tell systemd-nspawn; a queue nobody reads stopped both for ever."""
    for _ in range(30):
        running.ssh.run(["sudo", "systemctl", "daemon-reload"], timeout_s=30)

    state = running.ssh.run(["systemctl", "is-system-running"], timeout_s=30, check=False)
    assert state.stdout.strip() in ("running", "degraded", "starting")


@pytest.mark.parametrize("text", ['{"pid": "x"}', "{", None])
def test_a_machine_whose_state_another_version_wrote_runs_and_stops(
    running: Spare, text: str | None
) -> None:
    places = Places(running.machine.folder)
    told = outer(running)
    if text is None:
        places.state.unlink()
    else:
        places.state.write_text(text)

    found = running.engine.running(running.machine)
    everyone = family(told)
    running.ssh.close()
    running.engine.stop(running.machine, 20)

    assert found is not None
    assert found.pid == told
    assert any("another version" in note for note in found.notes)
    await_gone(running, everyone)


def test_a_machine_with_nobody_at_its_control_socket_still_powers_off(running: Spare) -> None:
    everyone = family(outer(running))
    Places(running.machine.folder).control.unlink()
    running.run("echo kept > kept")

    running.ssh.close()
    running.engine.stop(running.machine, 20)

    await_gone(running, everyone)
    running.start()
    assert running.run("cat kept") == "kept\n"
