"""Names, ports, keys, size, inputs and pages of a machine."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from dsvm.definition import Host
from dsvm.definition.model import SizeDefinition
from dsvm.engines.network import is_free
from dsvm.errors import DsvmError, UsageError
from dsvm.machines.inputs import read_inputs
from dsvm.machines.keys import make_keys, public
from dsvm.machines.machine import Machine
from dsvm.machines.model import AppPage
from dsvm.machines.naming import resolve
from dsvm.machines.pages import pages
from dsvm.machines.parts import engine_machine
from dsvm.machines.ports import choose_port
from dsvm.machines.reports import last_report
from dsvm.machines.size import choose_size
from tests.unit.machines.support import machine, new_home


def test_without_a_name_it_is_the_machine_of_the_nearest_definition(tmp_path: Path) -> None:
    (tmp_path / "dsvm.toml").write_text('name = "lab"\n')
    (tmp_path / "a" / "b").mkdir(parents=True)

    assert resolve(None, tmp_path / "a" / "b") == "lab"
    assert resolve("other", tmp_path) == "other"


def test_without_name_and_definition_the_usage_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which machine"):
        resolve(None, tmp_path)


def test_a_port_is_the_same_each_time_and_never_a_taken_one() -> None:
    first = choose_port("lab/ssh", ())

    assert choose_port("lab/ssh", ()) == first
    assert choose_port("lab/ssh", {first}) == first + 1


def test_a_port_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)


def test_keys_are_made_once_and_the_host_key_is_pinned(tmp_path: Path) -> None:
    make_keys(tmp_path, "lab")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    make_keys(tmp_path, "lab")

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    key = public(tmp_path, "host_ed25519").split()[1]
    assert (tmp_path / "known_hosts").read_text() == f"dsvm-lab ssh-ed25519 {key}\n"
    assert (tmp_path / "id_ed25519").stat().st_mode & 0o777 == 0o600


def test_a_size_the_host_has_not_is_refused_with_the_key() -> None:
    host = Host(cpus=2, memory=8 << 30)

    with pytest.raises(DsvmError) as refused:
        choose_size(SizeDefinition(memory="16G"), host)

    assert str(refused.value).splitlines()[:2] == [
        "error: [size] memory: the host has not that much",
        "  cause: 16G wanted, 8G there",
    ]


def test_a_size_left_open_is_half_of_the_host() -> None:
    size = choose_size(SizeDefinition(), Host(cpus=4, memory=8 << 30))

    assert (size.cpus, size.memory) == (2, 4 << 30)


def test_inputs_change_with_what_they_stand_for_only(tmp_path: Path) -> None:
    definition = tmp_path / "dsvm.toml"
    definition.write_text('name = "lab"\n[files]\n"~/n" = "n"\n')
    (tmp_path / "n").mkdir()
    before = read_inputs(definition)
    assert read_inputs(definition) == before

    (tmp_path / "n" / "a.ipynb").write_text("{}")
    copied = read_inputs(definition)
    (tmp_path / "dsvm.lock").write_text("{}")
    locked = read_inputs(definition)

    assert {key for key in before if before[key] != copied[key]} == {"files"}
    assert {key for key in before if copied[key] != locked[key]} == {"lock"}


def test_a_page_signs_in_by_its_token(tmp_path: Path) -> None:
    lab = machine(
        new_home(tmp_path),
        apps={"jupyterlab": 22002},
        tokens={"jupyterlab": "s3cret"},
        pages={"jupyterlab": AppPage(inside=8888, path="/lab?token={token}", ready="/api")},
    )

    page = pages(lab)["jupyterlab"]

    assert page.url == "http://127.0.0.1:22002/lab?token=s3cret"
    assert page.ready == "http://127.0.0.1:22002/api"


def test_the_engine_gets_ports_layers_and_absolute_mounts(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    text = 'name = "lab"\n[mounts]\n"~/data" = "data:ro"\n'
    pages = {"jupyterlab": AppPage(inside=8888, path="/", ready="/")}
    lab = machine(home, definition=text, apps={"jupyterlab": 22002}, pages=pages)

    told = engine_machine(lab)

    assert told.ports == {22: 22001, 8888: 22002}
    assert [layer.path.read_bytes() for layer in told.layers] == [b"layer"]
    (mount,) = told.mounts
    assert (mount.source, mount.target, mount.read_only) == (
        home.root / "project" / "data",
        "/home/ds/data",
        True,
    )


def test_the_last_report_is_the_newest_whole_one(tmp_path: Path) -> None:
    lab = machine(new_home(tmp_path))
    report(lab, "2026-01-01", checks={"machine": ["passed"]})
    report(lab, "2026-01-02", checks={"machine": ["passed", "not_tested"]})
    (lab.reports / "2026-01-03.json").write_text('{"at": "20')

    found = last_report(lab)

    assert found
    assert found.at == "2026-01-02"
    assert found.summary == {"passed": 1, "failed": 0, "not_tested": 1}


def test_what_a_part_was_not_asked_for_counts_as_it_was_found_before(tmp_path: Path) -> None:
    lab = machine(new_home(tmp_path))
    lab = Machine(lab.home, lab.record.model_copy(update={"tools": ("git", "r")}))
    report(lab, "2026-01-01", checks={"r": ["failed", "failed"]})
    report(
        lab, "2026-01-02", checks={"git": ["passed"], "r": ["failed", "passed"], "gone": ["failed"]}
    )
    report(lab, "2026-01-03", checks={"machine": ["failed"]}, reached=False)
    report(lab, "2026-01-04", checks={"git": ["failed"]}, scope=["git"])
    mixed = last_report(lab)
    report(lab, "2026-01-05", checks={"machine": ["failed"]}, reached=False)
    lost = last_report(lab)

    assert mixed
    assert lost
    assert (mixed.at, mixed.summary) == ("2026-01-04", {"passed": 1, "failed": 2, "not_tested": 0})
    assert lost.summary == {"passed": 0, "failed": 1, "not_tested": 0}


def report(lab: Machine, at: str, checks: dict[str, list[str]], **more: object) -> None:
    lab.reports.mkdir(parents=True, exist_ok=True)
    rows = [{"tool": tool, "outcome": one} for tool, found in checks.items() for one in found]
    (lab.reports / f"{at}.json").write_text(json.dumps({"at": at, "checks": rows, **more}))
