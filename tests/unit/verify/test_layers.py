"""The layers of a machine, hashed again in the host's store."""

from __future__ import annotations

from pathlib import Path

from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.store import Store
from dsvm.store.files import fingerprint
from dsvm.verify.machine_checks import check_image, check_layers
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

    fault, remedy = check_layers(damaged).faults

    assert fault.startswith("layer env-base-cpu: ")
    assert "`dsvm up`, which builds it again" in remedy


def test_a_layer_that_left_the_store_is_named(tmp_path: Path) -> None:
    robbed = lab(tmp_path)
    layer_file(robbed).unlink()

    fault, remedy = check_layers(robbed).faults

    assert fault.startswith("layer env-base-cpu: ")
    assert "`dsvm up`, which builds it again" in remedy


def test_an_image_is_hashed_again_when_all_is_asked_for(tmp_path: Path) -> None:
    lab = machine(Home(tmp_path))
    store = Store(lab.home.store)
    digest = store.put(b"image")
    lab = Machine(
        lab.home,
        lab.record.model_copy(
            update={"image": lab.record.image.model_copy(update={"digest": digest})}
        ),
    )
    quick = check_image(lab, full=False)
    spoil_unseen(store, digest)
    unseen = check_image(lab, full=False)
    full = check_image(lab, full=True)
    after = check_image(lab, full=False)

    assert (quick.faults, unseen.faults) == ([], [])
    assert digest in full.faults[0]
    assert after.faults == full.faults


def spoil_unseen(store: Store, digest: str) -> None:
    """As a disk loses a bit: nothing about the file tells, so the store's note still fits."""
    blob = store.get(digest)
    blob.chmod(0o600)
    blob.write_bytes(b"IMAGE")
    (store.root / "sound" / digest).write_text(fingerprint(blob))
