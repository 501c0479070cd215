"""machines/: records are whole, names are found, one process at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dsvm.errors import DsvmError
from dsvm.machines.state import MachineBusy, Machines, NoSuchMachine
from tests.unit.machines.support import machine, new_home


def test_a_saved_machine_is_found_as_it_was(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    saved = machine(home)
    Machines(home).save(saved.record)

    assert Machines(home).get("lab").record == saved.record
    assert Machines(home).names() == ["lab"]
    assert (saved.folder / "machine.json").stat().st_mode & 0o777 == 0o600


def test_a_folder_without_a_record_is_no_machine(tmp_path: Path) -> None:
    machines = Machines(new_home(tmp_path))
    machines.folder("half").mkdir(parents=True)

    assert machines.names() == []
    assert machines.find("half") is None


def test_a_wrong_name_tells_the_nearest_one(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    Machines(home).save(machine(home).record)

    with pytest.raises(NoSuchMachine) as missing:
        Machines(home).get("lap")

    assert str(missing.value) == (
        "error: there is no machine `lap`\nhint: did you mean `lab`? `dsvm ls` lists them all"
    )


def test_a_damaged_record_is_an_error_with_its_file(tmp_path: Path) -> None:
    machines = Machines(new_home(tmp_path))
    machines.folder("lab").mkdir(parents=True)
    (machines.folder("lab") / "machine.json").write_text("{}")

    with pytest.raises(DsvmError) as damaged:
        machines.find("lab")

    assert "machine.json" in (damaged.value.cause or "")


def test_who_holds_a_machine_is_named(tmp_path: Path) -> None:
    machines = Machines(new_home(tmp_path))
    with machines.hold("lab", "up"):
        script = (
            "import sys\nfrom pathlib import Path\nfrom dsvm.home import Home\n"
            "from dsvm.machines.state import Machines, MachineBusy\n"
            "try:\n"
            "    with Machines(Home(Path(sys.argv[1]))).hold('lab', 'stop', wait_s=0): pass\n"
            "except MachineBusy as busy: print(busy)\n"
        )
        argv = [sys.executable, "-c", script, str(machines.home.root)]
        told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    assert f"`dsvm up` works on it (process {os.getpid()})" in told


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    machines = Machines(new_home(tmp_path))
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom dsvm.home import Home\n"
        "from dsvm.machines.state import Machines\n"
        "with Machines(Home(Path(sys.argv[1]))).hold('lab', 'up'):\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    argv = [sys.executable, "-c", script, str(machines.home.root)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(MachineBusy), machines.hold("lab", "stop", wait_s=0):
            pass
        holder.send_signal(signal.SIGKILL)
    with machines.hold("lab", "stop"):
        pass


def test_holding_a_name_that_becomes_no_machine_leaves_nothing(tmp_path: Path) -> None:
    machines = Machines(new_home(tmp_path))

    with machines.hold("lab", "up"):
        pass

    assert not machines.folder("lab").exists()


def test_cleared_machines_leave_nothing(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    machines = Machines(home)
    folder = machines.save(machine(home).record).folder
    (folder / "seed").mkdir()
    (folder / "seed" / "seed.json").write_text("secret")

    with machines.hold("lab", "rm"):
        machines.clear("lab")

    assert not folder.exists()
