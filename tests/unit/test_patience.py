"""How long dsvm waits for a network is the user's to say."""

from __future__ import annotations

import pytest

from dsvm.errors import UsageError
from dsvm.fetch import Limits
from dsvm.patience import VARIABLE, patient


def test_the_usual_limits_hold_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    assert patient(30) == 30
    assert Limits.usual() == Limits()


def test_patience_makes_limits_longer_and_slower_ones_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "4")

    usual = Limits.usual()

    assert (usual.silence_s, usual.window_s, usual.slowest) == (120, 120, 512)
    assert usual.tries == Limits().tries


@pytest.mark.parametrize("text", ["long", "0", "-1", "nan", "inf"])
def test_what_is_no_patience_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)

    with pytest.raises(UsageError, match=f"{VARIABLE}={text}"):
        patient(30)
