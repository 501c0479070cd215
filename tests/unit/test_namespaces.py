"""What forbids user namespaces is named with the line that allows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm import namespaces


@pytest.mark.parametrize(
    ("setting", "off", "on"),
    [
        ("user.max_user_namespaces", "0", "15000"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ],
)
def test_the_setting_that_forbids_is_named_only_after_a_try_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, off: str, on: str
) -> None:
    file = tmp_path / setting.replace(".", "/")
    file.parent.mkdir()
    file.write_text(f"{off}\n")
    monkeypatch.setattr(namespaces, "SETTINGS", tmp_path)
    monkeypatch.setattr(namespaces, "SANDBOX", ("true",))

    monkeypatch.setattr(namespaces, "BUILD", ("true",))
    assert namespaces.refusal() is None

    monkeypatch.setattr(namespaces, "BUILD", ("false",))
    found = namespaces.refusal()
    assert found
    assert f"({setting} = {off})" in found.reason
    assert found.remedy.startswith(f"sudo sysctl -w {setting}={on},")


def test_a_refusal_that_no_setting_explains_shows_the_programs_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "SETTINGS", tmp_path)
    monkeypatch.setattr(namespaces, "BUILD", ("sh", "-c", "echo seccomp says no >&2; exit 1"))
    monkeypatch.setattr(namespaces, "BARE", ("false",))

    found = namespaces.refusal()

    assert found
    assert "seccomp says no" in found.reason
    assert "container" in found.remedy
