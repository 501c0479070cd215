"""A machine is given a device of the host by a CDI file: nodes, library, variable, links.

The device is a harmless one that the test makes up; it is no GPU and proves none.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dsvm.engines.cdi.model import Spec, parse
from dsvm.engines.qemu import vfio
from dsvm.engines.qemu.command import PROGRAM, SANDBOX
from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.programs import which
from tests.system.cdi_file import offered
from tests.system.spare import Spare, spare
from tests.system.test_gpu_libraries import compiler
from tests.system.typed import Dsvm

KIND = "dsvm.example/thing"
ONE = f"{KIND}=one"
LIB = "/usr/lib/dsvm-thing"
# It is the host's, and no machine may open it unless it is given.
NODE = Path("/dev/autofs")
LOOK = f"""
ls /dev/thing /dev/things/other {LIB} /lib/firmware/dsvm-thing.bin 2>/dev/null
/sbin/ldconfig -p | grep -c libthing; cat /lib/firmware/dsvm-thing.bin 2>/dev/null
echo "$THING_COLOUR"; find /etc/ld.so.conf.d /usr/lib -name '*thing*' -o -name '*dsvm-dev*'
"""
ASK = "import ctypes; print(ctypes.CDLL('libthing.so.1').answer())"


@pytest.fixture(scope="module")
def cdi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spec]:
    """The file of a maker, with all that dsvm reads in one."""
    folder = tmp_path_factory.mktemp("thing")
    (folder / "thing.c").write_text("int answer(void) { return 42; }\n")
    library = folder / "libthing.so.1.0"
    # Not tcc: what it makes asks for a stack that is executable, which newer C libraries refuse.
    options = ["-shared", "-fPIC", "-nostdlib", "-Wl,-soname=libthing.so.1"]
    argv = [compiler("gcc"), *options, "-o", str(library), str(folder / "thing.c")]
    subprocess.run(argv, check=True)
    (folder / "thing.bin").write_text("firmware\n")
    hook = {"hookName": "createContainer", "path": "/usr/bin/thing-cdi-hook"}
    link = f"libthing.so.1::{LIB}/libthing.so"
    hooks = [
        {**hook, "args": ["thing-cdi-hook", "update-ldcache", "--folder", LIB]},
        {**hook, "args": ["thing-cdi-hook", "create-symlinks", "--link", link]},
        {**hook, "args": ["thing-cdi-hook", "polish"]},
    ]
    read_only = ["ro", "nosuid", "nodev", "bind"]
    common = {
        "env": ["THING_COLOUR=green"],
        "mounts": [
            {
                "hostPath": str(library),
                "containerPath": f"{LIB}/{library.name}",
                "options": read_only,
            },
            {
                "hostPath": str(folder / "thing.bin"),
                "containerPath": "/lib/firmware/dsvm-thing.bin",
                "options": read_only,
            },
        ],
        "hooks": hooks,
    }
    nodes = [
        {"path": "/dev/thing", "hostPath": "/dev/zero"},
        {"path": "/dev/things/other", "hostPath": str(NODE)},
    ]
    with offered("dsvm-test.json", KIND, {"deviceNodes": nodes}, containerEdits=common) as file:
        yield parse(file.read_text(), as_json=True)


@pytest.fixture(scope="module")
def lab(small: Machine, cdi: Spec) -> Iterator[Spare]:
    with spare(small, "devices-lab", devices=(ONE,)) as machine:
        machine.start()
        yield machine


def test_a_machine_has_the_nodes_of_its_device(lab: Spare) -> None:
    assert lab.run("head -c 3 /dev/thing | od -An -tx1").split() == ["00", "00", "00"]
    assert lab.run("stat -c '%t:%T %a %U' /dev/thing /dev/things/other").split("\n")[:2] == [
        "1:5 666 root",
        "a:eb 666 root",
    ]
    assert lab.run("exec 3< /dev/things/other && echo opened") == "opened\n"


def test_its_library_is_found_by_the_linker_and_runs(lab: Spare) -> None:
    assert lab.run(f'/usr/bin/python3 -c "{ASK}"') == "42\n"
    assert lab.run(f"readlink {LIB}/libthing.so {LIB}/libthing.so.1").split() == [
        "libthing.so.1",
        "libthing.so.1.0",
    ]


def test_its_files_are_seen_where_links_lead_and_cannot_be_changed(lab: Spare) -> None:
    assert lab.run("cat /usr/lib/firmware/dsvm-thing.bin") == "firmware\n"
    refused = lab.run("echo changed > /lib/firmware/dsvm-thing.bin", root=True, check=False)
    assert "Read-only" in refused or "denied" in refused


def test_its_variable_is_in_every_login(lab: Spare) -> None:
    assert lab.run('echo "$THING_COLOUR"') == "green\n"


def test_a_hook_that_is_not_known_is_told(lab: Spare) -> None:
    told = lab.engine.running(lab.machine)

    assert told
    assert any("`/usr/bin/thing-cdi-hook polish` was not run" in note for note in told.notes)


def test_a_size_that_changes_leaves_it_the_device(lab: Spare) -> None:
    lab.engine.resize(lab.machine, replace(lab.machine.size, memory=lab.machine.size.memory + 4096))

    assert lab.run("exec 3< /dev/things/other && echo opened") == "opened\n"


def test_what_is_no_longer_given_is_gone_without_a_trace(lab: Spare) -> None:
    lab.stop()
    without = replace(lab, machine=replace(lab.machine, devices=()))
    without.start()
    try:
        assert without.run(LOOK, check=False).split() == ["0"]
        assert without.run("systemctl is-system-running --wait", check=False) == "running\n"
    finally:
        without.stop()


def test_a_device_that_is_not_there_is_an_error_before_the_start(lab: Spare) -> None:
    other = replace(lab, machine=replace(lab.machine, devices=(f"{KIND}=two",)))

    with pytest.raises(DsvmError, match=f"no device `{KIND}=two`"):
        other.start()
    assert other.engine.running(other.machine) is None


def test_a_definition_gives_and_takes_devices(dsvm: Dsvm, home: Home, cdi: Spec) -> None:
    assert cdi.kind == KIND
    folder = home.root / "definitions" / "given"
    folder.mkdir(parents=True, exist_ok=True)

    def up(devices: str) -> subprocess.CompletedProcess[str]:
        text = f'name = "given"\nprofile = ""\ntools = ["git"]\n[size]\ncpus = 1\n{devices}\n'
        (folder / "dsvm.toml").write_text(text)
        return dsvm("up", "--yes", "--json", "--engine", "nspawn", cwd=folder, timeout_s=900)

    def seen() -> str:
        return dsvm("run", "given", "--", "sh", "-c", "ls /dev/thing; true").stdout

    try:
        assert up(f'devices = ["{ONE}"]').returncode == 0
        assert seen() == "/dev/thing\n"

        refused = up(f'devices = ["{KIND}=on"]')
        assert refused.returncode == 1
        assert f"this host has no device `{KIND}=on`" in refused.stderr
        assert f"hint: did you mean `{ONE}`?" in refused.stderr
        assert seen() == "/dev/thing\n"  # nothing was stopped for it

        without = up("devices = []")
        assert without.returncode == 0
        assert "restarted: the devices of the host changed" in json.loads(without.stdout)["changes"]
        assert seen() == ""
    finally:
        dsvm("rm", "given", "--yes")


@pytest.mark.skipif(not which(PROGRAM), reason="QEMU is not installed")
def test_qemu_understands_what_gives_it_a_device_and_looks_for_it() -> None:
    address = "0000:ff:1f.7"  # no computer has a device there
    argv = [PROGRAM, "-nodefaults", "-display", "none", "-machine", "q35", "-m", "64M"]
    argv += ["-sandbox", SANDBOX, *vfio.Host().argv((address,))]

    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert f"{address}: no such host device" in done.stderr
    assert len(done.stderr.splitlines()) == 1
