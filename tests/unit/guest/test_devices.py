"""What a device of the host leaves in a machine comes and goes with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsvm.guest import devices
from dsvm.guest.devices import Told
from dsvm.guest.outcome import Outcome


class Machine:
    """Files of a machine below a folder; its ldconfig is counted, for it works on the host's."""

    def __init__(self, root: Path) -> None:
        self.root, self.linked = root, 0
        self.told, self.record = root / "told.json", root / "record.json"
        self.linker = root / "linker.conf"

    def apply(self, told: Told | None) -> tuple[dict[str, str], Outcome]:
        out = Outcome()
        if told is None:
            self.told.unlink(missing_ok=True)
        else:
            self.told.write_text(json.dumps(told))
        return devices.apply(out, self.told, self.record, self.linker), out

    def given(self) -> Told:
        return Told(
            variables={"A": "b"},
            folders=["/opt/lib"],
            links={str(self.root / "lib/x.so"): "x.so.1"},
            placed=[str(self.root / "lib/x.so.1.0"), str(self.root / "data")],
        )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path)

    def run(*argv: str) -> str:
        assert argv == ("ldconfig",)
        found.linked += 1
        return ""

    monkeypatch.setattr(devices, "run", run)
    monkeypatch.setattr(devices, "folder", lambda place, mode: place)
    return found


def test_a_machine_without_devices_does_nothing(machine: Machine) -> None:
    assert machine.apply(None)[0] == {}
    assert (machine.linked, list(machine.root.iterdir())) == (0, [])


def test_links_and_folders_of_the_linker_are_made(machine: Machine) -> None:
    variables, out = machine.apply(machine.given())

    assert variables == {"A": "b"}
    assert (machine.root / "lib/x.so").readlink() == Path("x.so.1")
    assert machine.linker.read_text() == "/opt/lib\n"
    assert machine.linked == 1
    assert (out.errors, out.notes) == ([], [])


def test_all_of_it_goes_with_the_device(machine: Machine) -> None:
    machine.apply(machine.given())
    (machine.root / "lib/x.so.1.0").touch()
    (machine.root / "lib/x.so.1").symlink_to("x.so.1.0")  # as ldconfig does
    (machine.root / "data").mkdir()

    assert machine.apply(None)[0] == {}

    assert not (machine.root / "lib").exists()
    assert not (machine.root / "data").exists()
    assert not machine.linker.exists()
    assert machine.linked == 2
    machine.apply(None)
    assert machine.linked == 2


def test_what_somebody_put_there_stays(machine: Machine) -> None:
    own = machine.root / "lib/x.so"
    own.parent.mkdir()
    own.write_text("mine")

    _, out = machine.apply(machine.given())
    (machine.root / "lib/x.so.1.0").write_text("mine, too")
    machine.apply(None)

    assert out.notes == [f"{own} is the machine's own, not that of the host's device"]
    assert own.read_text() == "mine"
    assert (machine.root / "lib/x.so.1.0").read_text() == "mine, too"


def test_what_a_killed_start_left_is_found(machine: Machine) -> None:
    given = machine.given()
    machine.apply(given)
    machine.told.write_text(json.dumps({**given, "links": {}, "folders": []}))
    devices._save(machine.record, devices._both(given, devices._read(machine.told)))

    machine.apply(None)

    assert not (machine.root / "lib/x.so").is_symlink()
