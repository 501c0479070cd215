"""CDI files are read as their specification says, and mean the same for every container."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dsvm.engines.cdi.given import File, Node
from dsvm.engines.cdi.hooks import Meaning, Unknown, understand
from dsvm.engines.cdi.model import Hook, Unreadable, parse, read
from dsvm.engines.cdi.registry import give, registry
from dsvm.errors import DsvmError
from tests.unit.guest.computers import put

SAMPLE = Path(__file__).parents[2] / "data" / "nvidia-cdi.yaml"
KIND = "vendor.example/thing"
ONE = f"{KIND}=one"
LIB = "/usr/lib/x86_64-linux-gnu"


def spec(name: str = "one", **edits: Any) -> dict[str, Any]:
    device = {"name": name, "containerEdits": edits}
    return {"cdiVersion": "0.6.0", "kind": KIND, "devices": [device]}


def written(root: Path, file: str, data: object) -> Path:
    return put(root, file, json.dumps(data))


def hook(*words: str) -> Hook:
    return Hook(hook_name="createContainer", path="/usr/bin/x-cdi-hook", args=["x", *words])


def numbered(edits: dict[str, Any]) -> dict[str, Any]:
    """With the numbers of nodes, which a folder of a test cannot have."""
    nodes = [{**one, "type": "c", "major": 195, "minor": 0} for one in edits["deviceNodes"]]
    return {**edits, "deviceNodes": nodes}


def test_the_file_that_nvidias_toolkit_writes_is_understood(tmp_path: Path) -> None:
    sample = yaml.safe_load(SAMPLE.read_text())
    sample["containerEdits"] = numbered(sample["containerEdits"])
    for device in sample["devices"]:
        device["containerEdits"] = numbered(device["containerEdits"])
    for mount in sample["containerEdits"]["mounts"]:
        put(tmp_path, mount["hostPath"].lstrip("/"), "")
    put(tmp_path, "etc/cdi/nvidia.yaml", yaml.safe_dump(sample))

    given = give(("nvidia.com/gpu=0", "nvidia.com/gpu=all"), tmp_path)

    assert [node.path for node in given.nodes] == [
        *("/dev/nvidia-modeset", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidiactl"),
        "/dev/nvidia0",
    ]
    assert given.nodes[0].rule == "c 195:0 rwm"
    assert (
        File(
            "/run/nvidia-persistenced/socket",
            "/run/nvidia-persistenced/socket",
            ("ro", "nosuid", "nodev", "bind", "noexec"),
        )
        in given.files
    )
    assert given.variables == {"NVIDIA_VISIBLE_DEVICES": "void"}
    assert given.folders == (LIB,)
    assert given.links == {
        f"{LIB}/libcuda.so": "libcuda.so.1",
        f"{LIB}/gbm/nvidia-drm_gbm.so": "../libnvidia-allocator.so.1",
    }
    assert given.notes == ()


def test_a_node_is_what_the_host_has_and_open_to_all_in_the_machine(tmp_path: Path) -> None:
    nodes = [
        {"path": "/dev/thing", "hostPath": "/dev/zero", "permissions": "rw"},
        {"path": "/dev/other", "hostPath": "/dev/null", "fileMode": 0o640, "gid": 44},
    ]
    file = written(tmp_path, "thing.json", spec(deviceNodes=nodes))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/cdi").symlink_to(tmp_path)
    (tmp_path / "dev").symlink_to("/dev")
    assert file.exists()

    assert give((ONE,), tmp_path).nodes == (
        Node("/dev/thing", "c", 1, 5, host="/dev/zero", permissions="rw"),
        Node("/dev/other", "c", 1, 3, host="/dev/null", mode=0o640, gid=44),
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cdiVersion": "1.2.0"}, "cdiVersion: is newer than 1.1"),
        ({"cdiVersion": "new"}, "cdiVersion: is no version"),
        ({"kind": "thing"}, "kind: String should match"),
        ({"devices": []}, "devices: List should have at least 1 item"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"containerEdits": {"env": ["1=2"]}}, "env.0: is no NAME=VALUE"),
        ({"containerEdits": {"deviceNodes": [{"path": "dev/x"}]}}, "path: is no absolute path"),
        (
            {"containerEdits": {"mounts": [{"hostPath": "/a", "containerPath": "/a/../b"}]}},
            "containerPath: is no absolute path",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_file_that_is_none_of_the_specification_is_refused(
    change: dict[str, Any], said: str
) -> None:
    with pytest.raises(Unreadable, match=said):
        parse(json.dumps({**spec(), **change}), as_json=True)


def test_what_is_no_text_of_its_kind_is_refused(tmp_path: Path) -> None:
    for name, text in (("a.json", "{"), ("b.yaml", "a: [")):
        with pytest.raises(Unreadable):
            read(put(tmp_path, name, text))


def test_the_later_folder_counts(tmp_path: Path) -> None:
    written(tmp_path, "etc/cdi/a.json", spec(env=["FROM=etc"]))
    written(tmp_path, "etc/cdi/b.json", spec(env=["FROM=etc"]))
    written(tmp_path, "var/run/cdi/a.json", spec(env=["FROM=run"]))

    assert give((ONE,), tmp_path).variables == {"FROM": "run"}


def test_a_device_that_two_files_have_is_refused_and_others_are_not(tmp_path: Path) -> None:
    written(tmp_path, "etc/cdi/a.json", spec())
    both = spec()
    both["devices"].append({"name": "two", "containerEdits": {"env": ["A=b"]}})
    written(tmp_path, "etc/cdi/b.json", both)

    assert give((f"{KIND}=two",), tmp_path).variables == {"A": "b"}
    with pytest.raises(DsvmError) as refused:
        give((ONE,), tmp_path)
    assert f"{tmp_path}/etc/cdi/a.json and {tmp_path}/etc/cdi/b.json" in str(refused.value)


def test_a_device_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    written(tmp_path, "etc/cdi/a.json", spec("only"))
    damaged = put(tmp_path, "etc/cdi/b.yaml", "kind: 1")
    put(tmp_path, "etc/cdi/readme.txt", "no such file")

    with pytest.raises(DsvmError) as refused:
        give((f"{KIND}=onyl",), tmp_path)

    assert f"there are: {KIND}=only" in str(refused.value)
    assert f"{damaged} is not read: cdiVersion: Field required" in str(refused.value)
    assert refused.value.remedy == f"did you mean `{KIND}=only`?"
    assert list(registry(tmp_path).faults) == [damaged]


def test_a_part_that_the_host_lacks_is_named_with_its_file(tmp_path: Path) -> None:
    lost = {"hostPath": "/opt/gone", "containerPath": "/opt/gone"}
    file = written(tmp_path, "etc/cdi/a.json", spec(mounts=[lost]))

    with pytest.raises(DsvmError, match="/opt/gone") as refused:
        give((ONE,), tmp_path)
    assert f"{file} names it" in str(refused.value)

    written(tmp_path, "etc/cdi/a.json", spec(deviceNodes=[{"path": "/dev/gone"}]))
    with pytest.raises(DsvmError, match="/dev/gone"):
        give((ONE,), tmp_path)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    unknown = {"hookName": "createContainer", "path": "/usr/bin/tune", "args": ["tune", "--all"]}
    tmpfs = {"hostPath": "tmpfs", "containerPath": "/scratch", "type": "tmpfs"}
    edits: dict[str, Any] = {"hooks": [unknown], "mounts": [tmpfs], "intelRdt": {"closID": "a"}}
    pipe = [{"path": "/dev/pipe", "type": "p"}]
    net = [{"hostInterfaceName": "ib0", "name": "ib0"}]
    written(tmp_path, "etc/cdi/a.json", spec(**edits, deviceNodes=pipe, netDevices=net))

    given = give((ONE,), tmp_path)

    assert (given.nodes, given.files) == ((), ())
    for word in ("`/usr/bin/tune --all` was not run", "/scratch", "intelRdt", "pipe", "network"):
        assert any(word in note for note in given.notes), word


def test_hooks_mean_the_same_in_all_their_spellings() -> None:
    for words in (
        ("update-ldcache", "--folder", "/a", "--folder", "/b"),
        ("hook", "update-ldcache", "--folder=/a:/b"),
        ("create-soname-symlinks", "--folder", "/a", "--folder=/b"),
    ):
        assert set(understand(hook(*words)).folders) == {"/a", "/b"}
    links = understand(hook("create-symlinks", "--link", "a.so.1::/lib/a.so", "--link=b::/c"))
    assert links.links == {"/lib/a.so": "a.so.1", "/c": "b"}
    assert understand(hook("chmod", "--mode", "755", "--path", "/dev/x")) == Meaning()


@pytest.mark.parametrize(
    "words",
    [(), ("reset",), ("update-ldcache", "--folder", "../a"), ("create-symlinks", "--link", "a::b")],
)
def test_a_hook_that_nobody_knows_is_no_silent_success(words: tuple[str, ...]) -> None:
    with pytest.raises(Unknown):
        understand(hook(*words))
