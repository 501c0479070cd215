"""Names of snapshots are looked up, never made into a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.errors import DsvmError
from dsvm.machines.snapshots import remove, restore
from dsvm.machines.state import Machines
from dsvm.progress import Silent
from tests.unit.machines.support import machine, new_home


@pytest.mark.parametrize("name", ["..", ".", "", "/etc", "../../store", "s1/../.."])
def test_the_name_of_a_snapshot_leads_nowhere(tmp_path: Path, name: str) -> None:
    home = new_home(tmp_path)
    Machines(home).save(machine(home).record)
    before = sorted(path for path in tmp_path.rglob("*") if "lock" not in path.name)

    with pytest.raises(DsvmError, match="has no snapshot"):
        remove(home, "lab", name)
    with pytest.raises(DsvmError, match="has no snapshot"):
        restore(home, "lab", name, keep=True, confirm=lambda question: None, progress=Silent())

    assert sorted(path for path in tmp_path.rglob("*") if "lock" not in path.name) == before
