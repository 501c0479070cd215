"""Engines are found by looking in the folder, and a refusal says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.engines import all_engines, choose, engine_named
from dsvm.engines.base import Unusable, Usable
from dsvm.engines.nspawn.probe import _storage_package
from dsvm.errors import DsvmError, UsageError
from dsvm.home import Home


def test_nspawn_is_found_without_a_list(tmp_path: Path) -> None:
    assert "nspawn" in [engine.name for engine in all_engines(Home(tmp_path))]


def test_auto_tries_the_lowest_rank_first(tmp_path: Path) -> None:
    ranks = [engine.rank for engine in all_engines(Home(tmp_path))]

    assert ranks == sorted(ranks)


def test_an_unknown_engine_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        engine_named("nspwan", Home(tmp_path))

    assert "auto" in str(refused.value)
    assert "nspawn" in str(refused.value)


def test_without_programs_nspawn_names_the_packages_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsvm.engines.nspawn.probe.which", lambda name: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)

    answer = engine_named("nspawn", Home(tmp_path)).probe()

    assert isinstance(answer, Unusable)
    assert "systemd-nspawn" in answer.reason
    assert "apt-get install" in (answer.remedy or "")
    assert "systemd-container" in (answer.remedy or "")


def test_without_root_the_refusal_names_each_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    with pytest.raises(DsvmError) as refused:
        choose("nspawn", Home(tmp_path))

    assert "nspawn: it needs root" in str(refused.value)
    assert "sudo" in str(refused.value)


@pytest.mark.parametrize(
    ("release", "package"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "qemu-system-common"),
        ('ID=debian\nVERSION_ID="13"\n', "qemu-utils"),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', "qemu-utils"),
        ("ID=debian\n", "qemu-utils"),
    ],
)
def test_the_storage_daemon_is_in_another_package_since_qemu_8(
    tmp_path: Path, release: str, package: str
) -> None:
    (tmp_path / "os-release").write_text(release)

    assert _storage_package(tmp_path / "os-release") == package


def test_an_engine_that_cannot_give_a_named_device_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsvm.engines.qemu.engine.QemuEngine.probe", lambda self: Usable())
    monkeypatch.setattr("dsvm.engines.nspawn.engine.NspawnEngine.probe", lambda self: Usable())

    with pytest.raises(DsvmError) as refused:
        choose("auto", Home(tmp_path), devices=("no.example/thing=one",))

    said = str(refused.value)
    assert "qemu: `no.example/thing=one` is a device of containers" in said
    assert "nspawn: this host has no device `no.example/thing=one`" in said


def test_auto_takes_the_engine_that_can_give_a_gpu_and_without_one_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nspawn, qemu = (
        f"dsvm.engines.{one}Engine" for one in ("nspawn.engine.Nspawn", "qemu.engine.Qemu")
    )
    for engine in (nspawn, qemu):
        monkeypatch.setattr(f"{engine}.probe", lambda self: Usable())
        monkeypatch.setattr(f"{engine}.gives", lambda self, names: Unusable("no GPU"))
    best = choose("auto", Home(tmp_path))[0]
    other = next(one for one in (nspawn, qemu) if best.name not in one)

    assert choose("auto", Home(tmp_path), gpu=True)[0].name == best.name
    monkeypatch.setattr(f"{other}.gives", lambda self, names: None)

    assert choose("auto", Home(tmp_path), gpu=True)[0].name != best.name
    assert choose("auto", Home(tmp_path))[0].name == best.name


def test_an_engine_without_virtiofsd_is_refused_to_a_machine_with_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsvm.engines.qemu.engine.QemuEngine.probe", lambda self: Usable())
    monkeypatch.setattr("dsvm.engines.qemu.folders.program", lambda: None)

    assert choose("qemu", Home(tmp_path))[0].name == "qemu"
    with pytest.raises(DsvmError) as refused:
        choose("qemu", Home(tmp_path), folders=True)

    assert "[mounts] need virtiofsd, which is not installed" in str(refused.value)
    assert str(refused.value).endswith("apt-get install -y --no-install-recommends virtiofsd")
