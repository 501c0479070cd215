"""The power fails while people work: what was acknowledged is there, nothing is half."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time

import pytest

from dsvm.engines.base import Size
from dsvm.machines.machine import Machine
from tests.system.spare import GIB, Spare, spare, stand_still

SEED = 20261124
SIZE = Size(cpus=1, memory=GIB, disk=12 * GIB)
PYTHON = "/opt/dsvm/envs/base/bin/python"
# Rows by transactions, modules of one's own in the environment's overlay; then the promise.
WORK = """
import os, sqlite3, sysconfig
site = sysconfig.get_path("purelib")
base = sqlite3.connect("base.db")
base.execute("create table if not exists t(x integer primary key)")
last = base.execute("select coalesce(max(x), 0) from t").fetchone()[0]
for count in range(last + 1, 10**9):
    with open(f"{site}/.new", "w") as file:
        file.write(f"count = {count}" + " " * 5000)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{site}/.new", f"{site}/mine{count % 50}.py")
    place = os.open(site, os.O_RDONLY)
    os.fsync(place)
    os.close(place)
    base.execute("insert into t values (?)", (count,))
    base.commit()
    with open("/run/user/1000/promised.new", "w") as file:
        file.write(str(count))
    os.rename("/run/user/1000/promised.new", "/run/user/1000/promised")
"""
LOOK = """
import importlib, sqlite3, sys
promised = int(sys.argv[1])
base = sqlite3.connect("base.db")
print(base.execute("pragma integrity_check").fetchone()[0])
rows = [row[0] for row in base.execute("select x from t order by x")]
print(rows == list(range(1, len(rows) + 1)) and len(rows) >= promised)
count = importlib.import_module(f"mine{promised % 50}").count
print(count >= promised and count % 50 == promised % 50)
"""


def test_a_disk_copied_at_any_moment_boots_with_all_that_was_promised(
    starter: Machine, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(SEED)
    moments = 10 if request.config.getoption("--long") else 1
    with spare(starter, "powered", SIZE) as machine:
        machine.start()
        machine.run(f"cat > work.py <<'END'\n{WORK}\nEND\ncat > look.py <<'END'\n{LOOK}\nEND\nsync")
        machine.run(f"systemd-run --user --quiet {PYTHON} $HOME/work.py")
        for moment in range(moments):
            time.sleep(chance.uniform(1, 4))
            promised = int(machine.run("cat /run/user/1000/promised"))
            with spare(starter, f"cut-{moment}", SIZE) as copy:
                _cut(machine, copy)
                _look(copy, promised)
        machine.stop()


def _cut(machine: Spare, copy: Spare) -> None:
    """The disk as it is at one moment: everything that could write to it stands still."""
    running = machine.engine.running(machine.machine)
    assert running is not None
    stopped = stand_still(running.pid)
    try:
        shutil.copyfile(machine.machine.disk, copy.machine.disk)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def _look(copy: Spare, promised: int) -> None:
    assert promised > 0
    copy.start()
    seen = copy.run(f"{PYTHON} -B look.py {promised}").split()
    assert seen == ["ok", "True", "True"]
    log = copy.run("journalctl -b -p err -o cat --no-pager | grep -i ext4 || true", root=True)
    assert log == ""
    copy.stop()
