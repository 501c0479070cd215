"""What crosses between the engine and its supervisor arrives as it was sent."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dsvm.engines.base import AttachedLayer, EngineMachine, Mount, Size
from dsvm.engines.cdi.given import File, Given, Node
from dsvm.engines.nspawn import control, held
from dsvm.engines.nspawn.command import Work, nspawn_argv
from dsvm.engines.nspawn.control import Listener, Request, ask
from dsvm.engines.nspawn.plan import (
    Places,
    Plan,
    State,
    read_plan,
    read_state,
    write_json,
    write_plan,
    write_state,
)
from dsvm.errors import DsvmError

LAYER = AttachedLayer("ab" * 32, Path("/store/ab"))


def machine(folder: Path) -> EngineMachine:
    return EngineMachine(
        name="lab",
        folder=folder,
        disk=folder / "disk.qcow2",
        root_offset=1 << 20,
        size=Size(cpus=2, memory=1 << 30, disk=1 << 33),
        seed=folder / "seed",
        layers=(LAYER,),
        ports={22: 2201},
        mounts=(Mount(Path("/srv/a:b"), "/home/ds/a:b", True),),
    )


def test_a_plan_is_read_as_it_was_written_and_by_its_owner_only(tmp_path: Path) -> None:
    plan = Plan(machine(tmp_path), uid_base=524288, scope=False)

    write_plan(plan)

    file = Places(tmp_path).plan
    assert read_plan(file) == plan
    assert file.stat().st_mode & 0o777 == 0o600


def test_devices_of_a_plan_are_read_as_they_were_written(tmp_path: Path) -> None:
    given = Given(
        nodes=(Node("/dev/thing", "c", 1, 5, host="/dev/zero"),),
        files=(File("/srv/a", "/opt/a", ("ro",)),),
        variables={"A": "b"},
        folders=("/opt",),
        links={"/opt/x.so": "x.so.1"},
        notes=("a hook",),
    )
    named = replace(machine(tmp_path), devices=("a.example/b=c",))
    plan = Plan(named, uid_base=None, scope=False, given=given)

    write_plan(plan)

    assert read_plan(Places(tmp_path).plan) == plan


def test_a_half_written_state_is_no_state(tmp_path: Path) -> None:
    places = Places(tmp_path)
    write_state(places, State(pid=1, since=2.0, notes=("a",), uid_base=None, scope=None))
    assert read_state(places) == State(pid=1, since=2.0, notes=("a",), uid_base=None, scope=None)

    places.state.write_text('{"pid": 1')

    assert read_state(places) is None


def test_machines_of_one_name_in_two_homes_have_different_units(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "lab", tmp_path / "b" / "lab"

    assert Places(one).unit != Places(other).unit


def test_a_colon_in_a_mount_reaches_nspawn_as_part_of_the_path(tmp_path: Path) -> None:
    argv = nspawn_argv(Plan(machine(tmp_path), 524288, scope=False), Work(Path("/work")))

    assert "--bind-ro=/work/folders/0:/home/ds/a\\:b" in argv


def test_without_a_user_namespace_capabilities_are_dropped(tmp_path: Path) -> None:
    argv = nspawn_argv(Plan(machine(tmp_path), None, scope=False), Work(Path("/work")))

    assert any("CAP_MKNOD" in word for word in argv)
    assert not any(word.startswith("--private-users") for word in argv)


def served(place: Path, do: Callable[[Request], None]) -> tuple[Listener, threading.Thread]:
    listener = Listener(place)
    thread = threading.Thread(target=listener.answer_one, args=(do,))
    thread.start()
    return listener, thread


def test_a_request_arrives_however_deep_the_folder_lies(tmp_path: Path) -> None:
    place = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8) / "control"
    place.parent.mkdir(parents=True)
    arrived: list[Request] = []
    listener, thread = served(place, arrived.append)

    with listener:
        ask(place, Request(stop_in=5.0, attach=(LAYER,)))
        thread.join()

    assert arrived == [Request(stop_in=5.0, attach=(LAYER,))]
    assert not place.exists()


def test_an_older_supervisor_does_not_nod_to_what_it_knows_nothing_of(tmp_path: Path) -> None:
    arrived: list[Request] = []
    listener, thread = served(tmp_path / "control", arrived.append)
    with listener:
        ask(tmp_path / "control", Request(root_bytes=1 << 40))
        thread.join()
    assert arrived == [Request(root_bytes=1 << 40)]

    # Every version that cannot grow a disk reads this word of every request.
    assert b"stop_in" not in control.message(Request(root_bytes=1 << 40))
    assert b"stop_in" in control.message(Request(attach=(LAYER,)))


def test_what_fails_in_the_supervisor_is_raised_where_it_was_asked(tmp_path: Path) -> None:
    def refuse(_: Request) -> None:
        raise DsvmError("no such layer", cause="the store lacks it", remedy="dsvm build")

    listener, thread = served(tmp_path / "control", refuse)

    with listener, pytest.raises(DsvmError) as refused:
        ask(tmp_path / "control", Request(attach=(LAYER,)))
    thread.join()

    assert refused.value.cause == "the store lacks it"
    assert refused.value.remedy == "dsvm build"


def test_a_machine_that_does_not_run_has_nobody_to_ask(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(tmp_path / "control", Request(stop_in=1.0))


def test_a_state_of_another_version_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    places = Places(tmp_path)
    write_json(places.state, {"pid": 7, "since": 8, "notes": ["a"], "words": "of tomorrow"})
    assert read_state(places) == State(7, 8.0, ("a",), None, None)

    write_json(places.state, {"pid": 7})
    assert read_state(places) is None


def test_the_holder_of_the_lock_is_known_without_its_own_word(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.engine.mkdir()
    code = (
        "import sys, time; from pathlib import Path\n"
        "from dsvm.engines.nspawn import held; from dsvm.engines.nspawn.plan import Places\n"
        "print(held.take(Places(Path(sys.argv[1])), 1), flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path), str(places.plan)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout
        supervisor.stdout.readline()
        try:
            assert held.locked(places)
            assert held.holder(places) == supervisor.pid
            assert held.take(places, 0) is None
        finally:
            supervisor.kill()
    assert held.wait_unlocked(places, 5)
    assert held.holder(places) is None


def test_a_request_that_is_not_understood_is_no_silent_success(tmp_path: Path) -> None:
    def stumble(request: Request) -> None:
        raise KeyError(request)

    listener, thread = served(tmp_path / "control", stumble)

    with listener, pytest.raises(ConnectionResetError):
        ask(tmp_path / "control", Request(stop_in=1.0))
    thread.join()
