"""The layers of a machine, hashed again in the host's store."""

from __future__ import annotations

from pathlib import Path

from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.store import Store
from dsvm.verify.machine_checks import check_layers
from tests.unit.machines.support import machine


def lab(tmp_path: Path) -> Machine:
    return machine(Home(tmp_path))


def layer_file(lab: Machine) -> Path:
    return Store(lab.home.store).get(lab.record.layers[0].digest)


def test_layers_as_they_were_built_are_no_fault(tmp_path: Path) -> None:
    found = check_layers(lab(tmp_path))

    assert found.faults == []
    assert found.measured["layers"] == 1


def test_a_changed_layer_is_named(tmp_path: Path) -> None:
    damaged = lab(tmp_path)
    file = layer_file(damaged)
    file.chmod(0o600)
    file.write_bytes(b"LAYER")

    (fault,) = check_layers(damaged).faults

    assert fault.startswith("layer env-base-cpu: ")


def test_a_layer_that_left_the_store_is_named(tmp_path: Path) -> None:
    robbed = lab(tmp_path)
    layer_file(robbed).unlink()

    (fault,) = check_layers(robbed).faults

    assert fault.startswith("layer env-base-cpu: ")
