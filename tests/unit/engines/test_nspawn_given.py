"""Where a device's files are mounted in a container: on places of the machine's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.engines.base import EngineMachine, Size
from dsvm.engines.nspawn.given import make_target, refused, target_in, wanted
from dsvm.errors import DsvmError
from tests.unit.guest.computers import put, with_h100

FILE = '{"cdiVersion": "0.6.0", "kind": "a.example/b", "devices": [{"name": "c"}]}'


def machine(devices: tuple[str, ...] | None, accelerator: str = "auto") -> EngineMachine:
    size = Size(1, 1 << 30, 1 << 33, "cpu" if accelerator == "cpu" else "auto")
    folder = Path("/lab")
    return EngineMachine(
        "lab", folder, folder / "disk", 0, size, folder / "seed", (), {22: 2201}, devices=devices
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("usr/lib", "etc", "run"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "out").symlink_to("/etc/../../..")
    (tmp_path / "round").symlink_to("round")
    return tmp_path


def test_links_of_the_machine_lead_nowhere_but_into_it(tree: Path) -> None:
    assert target_in(tree, "/lib/firmware/a.bin") == "/usr/lib/firmware/a.bin"
    assert target_in(tree, "/out/etc/passwd") == "/etc/passwd"
    assert target_in(tree, "/not/there") == "/not/there"
    with pytest.raises(OSError, match="too many links"):
        target_in(tree, "/round/a")


def test_a_place_is_made_where_there_is_none_and_left_where_there_is(tree: Path) -> None:
    make_target(tree, "/lib/firmware/a.bin", folder=False)
    make_target(tree, "/opt/thing", folder=True)
    put(tree, "etc/there", "its own")
    make_target(tree, "/etc/there", folder=False)
    make_target(tree, "/run/socket", folder=False)  # in memory, and made there

    assert (tree / "usr/lib/firmware/a.bin").read_bytes() == b""
    assert (tree / "opt/thing").is_dir()
    assert (tree / "etc/there").read_text() == "its own"
    assert not (tree / "run/socket").exists()


def test_a_host_without_a_gpu_gives_none_and_says_nothing(tmp_path: Path) -> None:
    given = wanted(machine(None), tmp_path)

    assert (given.nodes, given.files, given.notes) == ((), (), ())


def test_a_gpu_that_cannot_be_given_is_told_with_its_cause(tmp_path: Path) -> None:
    with_h100(tmp_path, driver="nouveau")

    given = wanted(machine(None), tmp_path)

    assert given.nodes == ()
    assert len(given.notes) == 1
    assert "the GPU is not given to the machine: " in given.notes[0]
    assert "NVIDIA's driver is not loaded on this host" in given.notes[0]
    assert wanted(machine(None, "cpu"), tmp_path).notes == ()
    assert wanted(machine(()), tmp_path).notes == ()


def test_a_device_that_is_named_must_be_there(tmp_path: Path) -> None:
    put(tmp_path, "etc/cdi/a.json", FILE)

    assert wanted(machine(("a.example/b=c",)), tmp_path).notes == ()
    assert refused(("a.example/b=c",), tmp_path) is None
    with pytest.raises(DsvmError, match=r"no device `a\.example/b=d`"):
        wanted(machine(("a.example/b=d",)), tmp_path)
    answer = refused(("a.example/b=d",), tmp_path)
    assert answer
    assert answer.remedy == "did you mean `a.example/b=c`?"
