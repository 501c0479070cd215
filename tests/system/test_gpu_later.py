"""A GPU next week, on another computer: packed where there is none, unpacked where there is one.

The GPU is simulated: libraries of NVIDIA's names that compute on the processor, given as a device.
It stands for a GPU in this test alone, and its reports are thrown away with the machine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.home import Home
from dsvm.machines.state import Machines
from tests.system.cdi_file import offered
from tests.system.project import Project
from tests.system.test_gpu_libraries import DATA, compiler
from tests.system.typed import Dsvm
from tests.unit.guest.computers import NODES, VERSION

NAME = "later"
KIND = "dsvm.example/later"
LIBRARIES = {"cuda.c": "libcuda.so.1", "nvml.c": "libnvidia-ml.so.1"}
IN_MACHINE = "/usr/lib/simulated"
DEFINITION = """\
name = "later"
profile = ""
tools = ["toy"]
[catalog]
paths = ["{tools}"]
[accelerator]
variants = ["cpu"]
[size]
cpus = 1
memory = "1G"
"""
TOOL = """\
title = "Toy"
summary = "Tells on what it computes"
homepage = "https://example.org/toy"
licence = "MIT"
group = "tools"
start = "the kernel `toy`"

[example]
run = "/opt/dsvm/envs/toy/bin/python -c 'import idna; print(idna.__version__)'"
prints = "3."

[environment]
name = "toy"
variants.cpu = ["idna==3.10"]
variants.nvidia = ["idna==3.10", "tabulate"]

[[check]]
name = "computes"
run = "check.py"
timeout_s = 60
memory = "256M"

[[break]]
name = "missing package"
run = "mv /opt/dsvm/envs/toy/lib/python3*/site-packages/idna/core.py /root/"
undo = "mv /root/core.py /opt/dsvm/envs/toy/lib/python3*/site-packages/idna/"
expect = "core"
"""
CHECK = """\
import ctypes, importlib.util, json, os
import idna

assert idna.encode("b\\u00fccher.example") == b"xn--bcher-kva.example"
build = "nvidia" if importlib.util.find_spec("tabulate") else "cpu"
assert build == os.environ["DSVM_VARIANT"], build
if build == "nvidia":
    assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
print(json.dumps({"device": "cuda" if build == "nvidia" else "cpu"}))
"""
# A machine sees its host's /proc/driver: this one's has nothing there, so it brings its own.
DRIVER = f"""
mkdir -p /opt/simulated/nvidia
echo '{VERSION.strip()}' >/opt/simulated/nvidia/version
cat >/etc/systemd/system/simulated-driver.service <<'UNIT'
[Unit]
ConditionPathExists=/dev/nvidia0
DefaultDependencies=no
After=local-fs.target
Before=dsvm-guest.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/mount --bind /opt/simulated /proc/driver
[Install]
RequiredBy=dsvm-guest.service
UNIT
systemctl enable --quiet simulated-driver
"""


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A device that the other computer has."""
    folder = tmp_path_factory.mktemp("simulated")
    mounts = []
    for source, library in LIBRARIES.items():
        target = folder / library
        options = ["-shared", "-fPIC", f"-Wl,-soname={library}", "-o", str(target)]
        subprocess.run([compiler("gcc"), *options, str(DATA / source)], check=True)
        place = f"{IN_MACHINE}/{library}"
        mounts.append({"hostPath": str(target), "containerPath": place, "options": ["ro", "bind"]})
    edits = {
        "deviceNodes": [{"path": f"/dev/{node}", "hostPath": "/dev/null"} for node in NODES],
        "mounts": mounts,
        "hooks": [
            {
                "hookName": "createContainer",
                "path": "/usr/bin/cdi-hook",
                "args": ["cdi-hook", "update-ldcache", "--folder", IN_MACHINE],
            }
        ],
    }
    with offered("dsvm-later.json", KIND, edits):
        yield f"{KIND}=one"


@pytest.fixture(scope="module")
def pack(home: Home, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A machine with the builds for the CPU alone, and a person's work in it."""
    folder = tmp_path_factory.mktemp("here")
    tool = folder / "tools" / "toy"
    tool.mkdir(parents=True)
    (tool / "tool.toml").write_text(TOOL)
    (tool / "check.py").write_text(CHECK)
    (folder / "dsvm.toml").write_text(DEFINITION.format(tools=folder / "tools"))
    dsvm("rm", NAME, "--yes")
    here = Project(home, dsvm, folder)
    here.typed("up", "--yes", "--engine", "nspawn")
    here.typed("run", "--", "sudo", "sh", "-ec", DRIVER)
    here.typed("run", "--", "sh", "-c", "echo work > ~/mine; sync")
    here.typed("pack", NAME, "later.dsvm", "--yes")
    yield folder / "later.dsvm"
    dsvm("rm", NAME, "--yes")


@pytest.fixture(scope="module")
def there(home: Home, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The other computer: the machine, unpacked."""
    root = home.root / "next-week"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    folder = tmp_path_factory.mktemp("there") / NAME
    other = Project(Home(root), Dsvm(root), folder)
    done = other.dsvm(
        *("unpack", str(pack), "--yes", "--engine", "nspawn", "--folder", str(folder)),
        timeout_s=400,
    )
    assert done.returncode == 0, done.stderr
    yield other
    other.dsvm("rm", NAME, "--yes")
    shutil.rmtree(root)


def environment(project: Project) -> dict[str, str]:
    (one,) = json.loads(project.typed("run", "--", "dsvm-guest", "env", "ls", "--json"))
    return dict(one)


def devices_proven(project: Project) -> set[str | None]:
    newest = sorted(project.machine.reports.glob("[0-9]*.json"))[-1]
    checks = json.loads(newest.read_text())["checks"]
    assert {one["outcome"] for one in checks} == {"passed"}
    return {one["device"] for one in checks if one["tool"] == "toy" and one["device"]}


def test_where_there_is_none_the_pack_has_the_build_for_the_cpu_alone(there: Project) -> None:
    names = {layer.name for layer in there.machine.record.layers}

    assert "env-toy-cpu" in names
    assert "env-toy-nvidia" not in names


def test_the_build_for_the_gpu_is_locked_and_made_there_beside_the_other(there: Project) -> None:
    before = {layer.name: layer.digest for layer in there.machine.record.layers}
    text = there.file.read_text()
    there.file.write_text(text.replace('["cpu"]', '["cpu", "nvidia"]'))

    there.typed("up", "--yes")

    after = {layer.name: layer.digest for layer in there.machine.record.layers}
    assert after.keys() - before.keys() == {"env-toy-nvidia"}
    assert after["env-toy-cpu"] == before["env-toy-cpu"]
    builds = {one.variant: one for one in there.lock.environments if one.name == "toy"}
    versions = {
        variant: {package.name: package.version for package in one.packages}
        for variant, one in builds.items()
    }
    assert versions["cpu"]["idna"] == "3.10"
    assert versions["nvidia"].items() > versions["cpu"].items()
    assert versions["nvidia"].keys() - versions["cpu"].keys() == {"tabulate"}
    assert environment(there)["variant"] == "cpu"
    assert devices_proven(there) == {"cpu"}


def test_with_the_gpu_the_same_disk_uses_it_and_without_it_the_cpu(
    there: Project, device: str
) -> None:
    there.typed("resize", "--device", device)

    assert environment(there)["variant"] == "nvidia"
    assert environment(there)["reason"] == "a kernel ran on the GPU"
    assert devices_proven(there) == {"nvidia"}
    assert Machines(there.home).get(NAME).record.accelerator == "nvidia"
    assert there.typed("run", "--", "cat", "mine") == "work\n"

    there.typed("resize", "--no-gpu", "--device", "none")

    assert environment(there)["variant"] == "cpu"
    assert devices_proven(there) == {"cpu"}
    assert there.typed("run", "--", "cat", "mine") == "work\n"
