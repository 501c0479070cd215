"""Which units start again when something that they stand on is another one."""

from __future__ import annotations

import pytest

from dsvm.guest.seed import SeedUnit
from dsvm.guest.units import stands_on

HUB = SeedUnit(
    name="hub.service",
    text="[Service]\nExecStart=/opt/dsvm/envs/hub/bin/hub --config /etc/hub.py\n",
    enable=True,
)


@pytest.mark.parametrize(
    ("place", "stands"),
    [
        ("/opt/dsvm/envs/hub", True),
        ("/etc/hub.py", True),
        ("/opt/dsvm/envs/hu", False),
        ("/etc/hub", False),
        ("/opt/dsvm/envs/hub/bin", True),
    ],
)
def test_a_unit_stands_on_what_its_text_names(place: str, stands: bool) -> None:
    assert stands_on(HUB, {place}) is stands
    assert not stands_on(HUB, set())
