"""Which engine the host is made ready for."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.engines.base import Engine
from dsvm.home import Home
from dsvm.host import prepare as room
from dsvm.host.packages import Need
from dsvm.progress import Silent


@pytest.mark.parametrize(("uid", "expected"), [(0, "nspawn"), (1000, "qemu")])
def test_where_no_engine_is_installed_root_gets_nspawn_and_others_qemu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, expected: str
) -> None:
    got: list[str] = []

    def wanted(engine: Engine | None, *, root: bool) -> list[Need]:
        return [Need("no-such-program", engine.name if engine else "", "runs machines")]

    def install(needs: list[Need], *_: object, **__: object) -> list[str]:
        got.extend(need.package for need in needs)
        return got

    monkeypatch.setattr("os.geteuid", lambda: uid)
    monkeypatch.setattr(room, "needs", wanted)
    monkeypatch.setattr(room, "ensure", install)

    monkeypatch.setattr("dsvm.namespaces.require", lambda: None)
    room.prepare("auto", Home(tmp_path), Silent(), agree=lambda question: True)

    assert got == [expected]
