"""The seed says all that the guest has to know, to root alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dsvm.build.model import Layer
from dsvm.catalog.compose import Composition, EnvironmentPlan
from dsvm.catalog.load import load_catalog
from dsvm.catalog.model import App, Kernel, Service, Tool
from dsvm.definition.model import Definition, NetworkDefinition, UserDefinition
from dsvm.errors import DsvmError
from dsvm.guest.seedfile import parse
from dsvm.machines.keys import make_keys
from dsvm.machines.machine import Machine
from dsvm.machines.seed import SEED, write_seed
from tests.unit.machines.support import environment, lock, machine, new_home, tree

KEY = "ssh-ed25519 AAAA ada"
DEFINITION = Definition(
    name="lab",
    users={"ada": UserDefinition(keys=[KEY])},
    network=NetworkDefinition(inherit=False),
)

KERNEL = Kernel(
    name="six",
    display_name="Six",
    language="six",
    argv=["python3", "{resource_dir}/kernel.py"],
    program="kernel.py",
)


def layer(name: str, kind: str, mountpoint: str, **more: object) -> Layer:
    known = {"key": name, "digest": f"digest-of-{name}", "bytes": 7, "seconds": 0, "cached": True}
    return Layer.model_validate(
        {"name": name, "kind": kind, "mountpoint": mountpoint, **known, **more}
    )


LAYERS = (
    layer("env-base-cpu", "environment", "/opt/dsvm/envs/base", environment="base", variant="cpu"),
    layer("python-3.11", "interpreter", "/opt/dsvm/pythons/3.11"),
)


def composition(folder: Path) -> Composition:
    (folder / "files").mkdir()
    (folder / "files" / "web.service").write_text("[Service]\nExecStart=/bin/true\n")
    (folder / "files" / "kernel.py").write_text("print(6 * 7)\n")
    tool = (
        load_catalog()
        .tools["jupyterlab"]
        .model_copy(
            update={
                "folder": folder,
                "services": [Service(name="web")],
                "apps": [App(name="web", port=8888)],
                "kernels": [KERNEL],
            }
        )
    )
    plan = EnvironmentPlan(
        name="base", python=None, requirements={}, sources=(), tools=(), kernel=True, own=False
    )
    return Composition(
        base=load_catalog().bases["debian-13"],
        tools=(Tool.model_validate(tool),),
        packages=(),
        environments=(plan,),
        variants=("cpu",),
        sources={},
        folder=folder,
    )


@pytest.fixture
def lab(tmp_path: Path) -> Machine:
    known = machine(
        new_home(tmp_path),
        layers=LAYERS,
        lock=lock(tree(), environment("base")),
        tokens={"web": "secret"},
    )
    make_keys(known.folder / "ssh", "lab")
    return known


def test_the_guest_understands_what_the_host_writes(lab: Machine, tmp_path: Path) -> None:
    write_seed(lab, DEFINITION, composition(tmp_path))

    seed = parse((lab.folder / SEED).read_text())
    assert seed["environments"] == [
        {
            "name": "base",
            "python": "3.13",
            "mountpoint": "/opt/dsvm/envs/base",
            "variants": {"cpu": {"digest": "digest-of-env-base-cpu", "bytes": 7}},
            "kernel": True,
            "display_name": "base (Python {python})",
        }
    ]
    assert [one["mountpoint"] for one in seed["trees"]] == ["/opt/dsvm/pythons/3.11"]
    assert seed["apps"] == [{"name": "web", "port": 8888, "token": "secret"}]
    assert seed["units"][0]["name"] == "web.service"
    assert seed["kernels"][0]["argv"] == KERNEL.argv
    assert seed["kernels"][0]["programs"] == {"kernel.py": "print(6 * 7)\n"}
    assert seed["users"] == [{"name": "ada", "keys": [KEY]}]
    assert seed["network"] is None
    assert seed["authorized_keys"][0].startswith("ssh-ed25519 ")
    assert "PRIVATE KEY" in seed["host_key"]


def test_the_guest_is_told_which_cuda_a_build_needs(lab: Machine, tmp_path: Path) -> None:
    """So that it never mounts one that the driver cannot serve."""
    cpu = environment("base")
    nvidia = environment("base", "nvidia-cuda-runtime==13.0.96")
    nvidia = nvidia.model_copy(update={"variant": "nvidia"})
    mine = LAYERS[0].model_copy(update={"variant": "nvidia", "digest": "of-nvidia"})
    machine = replace(
        lab,
        record=lab.record.model_copy(
            update={"lock": lock(tree(), cpu, nvidia), "layers": (*LAYERS, mine)}
        ),
    )
    write_seed(machine, DEFINITION, composition(tmp_path))

    (one,) = parse((lab.folder / SEED).read_text())["environments"]
    assert set(one["variants"]) == {"cpu", "nvidia"}
    assert one["cuda"] == "13.0"


def test_nobody_else_may_read_the_seed(lab: Machine, tmp_path: Path) -> None:
    write_seed(lab, DEFINITION, composition(tmp_path))

    assert (lab.folder / SEED).stat().st_mode & 0o777 == 0o600
    assert (lab.folder / SEED).parent.stat().st_mode & 0o777 == 0o700


def test_a_lock_to_come_is_what_the_seed_follows(lab: Machine, tmp_path: Path) -> None:
    new = lock(tree(), environment("base"), environment("churn"))

    with pytest.raises(DsvmError, match="`churn`"):
        write_seed(lab, DEFINITION, composition(tmp_path), new)


def test_writing_twice_gives_the_same(lab: Machine, tmp_path: Path) -> None:
    wanted = composition(tmp_path)
    write_seed(lab, DEFINITION, wanted)
    first = json.loads((lab.folder / SEED).read_text())

    write_seed(lab, DEFINITION, wanted)

    assert json.loads((lab.folder / SEED).read_text()) == first
