"""A machine goes beyond no limit of its size, for real, and survives the attempt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dsvm.engines.base import Size
from dsvm.engines.nspawn.cgroups import BYTES_PER_PROCESS, Cgroup
from dsvm.engines.nspawn.plan import Places
from dsvm.machines.machine import Machine
from tests.system.spare import GIB, Spare, spare

MIB = 1 << 20
SIZE = Size(cpus=1, memory=512 * MIB, disk=2 * GIB)


@pytest.fixture(scope="module")
def tight(small: Machine) -> Iterator[Spare]:
    with spare(small, "tight", SIZE) as machine:
        machine.start()
        yield machine


def enforced(machine: Spare, what: str) -> None:
    for note in machine.machine.notes:
        if note.startswith(what):
            pytest.skip(note)


def test_a_memory_hog_is_killed_and_the_machine_survives(tight: Spare) -> None:
    enforced(tight, "memory")
    before = tight.run("cat /proc/sys/kernel/random/boot_id; pgrep -o sshd")

    said = tight.run("python3 -c 'bytearray(2 << 30)'; echo status $?", check=False)

    assert "status 137" in said
    assert tight.run("cat /proc/sys/kernel/random/boot_id; pgrep -o sshd") == before


def test_root_inside_is_held_to_the_memory_too(tight: Spare) -> None:
    enforced(tight, "memory")

    said = tight.run("python3 -c 'bytearray(2 << 30)'; echo status $?", root=True, check=False)

    assert "status 137" in said


def test_busy_processes_get_no_more_than_their_processors(tight: Spare) -> None:
    enforced(tight, "cpus")
    script = "for i in 1 2 3 4; do timeout 3 sh -c 'while :; do :; done' & done; wait; times"
    began = time.monotonic()

    lines = tight.run(script, check=False).splitlines()

    elapsed = time.monotonic() - began
    minutes, seconds = lines[-1].split()[0].rstrip("s").split("m")
    used = float(minutes) * 60 + float(seconds)
    assert 0 < used <= elapsed * 1.05


def test_affinity_cannot_leave_the_machines_processors(tight: Spare) -> None:
    enforced(tight, "cpus")

    assert tight.run("taskset -c 0-63 nproc", root=True, check=False).strip() == "1"


def test_programs_see_the_machines_size_and_not_the_hosts(tight: Spare) -> None:
    enforced(tight, "memory")
    enforced(tight, "cpus")

    assert tight.run("nproc").strip() == "1"
    assert tight.run("python3 -c 'import os; print(os.cpu_count())'").strip() == "1"
    assert int(tight.run("grep -c ^processor /proc/cpuinfo")) == 1
    assert int(tight.run("awk '/MemTotal/ {print $2}' /proc/meminfo")) == 512 * 1024


def test_the_disk_is_full_at_its_size_and_free_again_after(tight: Spare) -> None:
    said = tight.run("dd if=/dev/zero of=fill bs=1M count=4096; rm fill; sync", check=False)

    assert "No space left on device" in said
    written = int(said.split(" bytes")[0].split()[-1])
    assert GIB // 4 < written < SIZE.disk
    assert tight.run("echo ok > after; cat after") == "ok\n"


def test_many_processes_that_share_too_little_memory_do_not_end_the_machine(
    tight: Spare,
) -> None:
    enforced(tight, "memory")
    before = tight.run("cat /proc/sys/kernel/random/boot_id")
    hog = "python3 -c 'import time; hog = bytearray(40 << 20); time.sleep(1)'"
    script = f"for i in $(seq 24); do {hog} & done; wait; echo ended"

    said = tight.run(script, check=False)

    assert "ended" in said
    assert tight.run("cat /proc/sys/kernel/random/boot_id") == before


def test_processes_are_limited(tight: Spare) -> None:
    enforced(tight, "number of processes")
    script = """import os, threading, time
started = 0
try:
    for started in range(40000):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
except RuntimeError:
    print("refused at", started, flush=True)
os._exit(0)
"""

    said = tight.run(f"python3 -c '{script}'", check=False)

    assert said.startswith("refused at")
    assert 1000 < int(said.split()[-1]) < SIZE.memory // BYTES_PER_PROCESS
    assert tight.run("echo ok") == "ok\n"


def test_memory_and_processors_change_while_it_runs(tight: Spare) -> None:
    enforced(tight, "memory")
    larger = replace(SIZE, memory=768 * MIB)

    tight.engine.resize(tight.machine, larger)

    assert "status 0" in tight.run("python3 -c 'bytearray(560 << 20)'; echo status $?")
    tight.engine.resize(tight.machine, SIZE)
    said = tight.run("python3 -c 'bytearray(560 << 20)'; echo status $?", check=False)
    assert "status 137" in said


def test_more_processors_than_the_host_has_are_reported(tight: Spare) -> None:
    cgroup = Cgroup(Places(tight.machine.folder).unit, scope=None)

    notes = cgroup.limit(replace(SIZE, cpus=4096))

    assert any("4096 asked" in note for note in notes)
    tight.engine.resize(tight.machine, SIZE)
