"""What machines share of the host is there before one more starts; tried in user namespaces."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dsvm.engines.nspawn import limits
from dsvm.namespaces import BARE, refusal

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and refusal() is not None, reason="this host allows no user namespaces"
)

BEGIN = """
import sys
from pathlib import Path
from dsvm.engines.nspawn import limits
from dsvm.errors import DsvmError
from dsvm.guest.inotify import Inotify
limits.FILE.write_text(sys.argv[1])
"""
MAKE_ROOM = """
print(limits.room(), limits.make_room(), limits.limit(), limits.room(), limits.make_room(), sep="|")
"""
WITHIN = """
import subprocess
again = [*sys.argv[2:5], sys.executable, "-P", "-c", sys.argv[5], "100000"]
print(subprocess.run(again, capture_output=True, text=True, check=True).stdout)
"""
REFUSED = """
try:
    limits.make_room()
except DsvmError as told:
    print(told.what, told.cause, told.remedy, sep="|")
"""


def test_the_limit_is_raised_when_one_more_machine_would_not_fit() -> None:
    before, said, now, after, again = _in_a_namespace(BEGIN + MAKE_ROOM, "20").split("|")

    assert (before, now, after, again) == ("False", str(limits.RAISED), "True", "None")
    assert said == (
        "user.max_inotify_instances was 20, too few for one more machine: now 1024, until a restart"
    )


def test_a_limit_that_is_high_enough_stays() -> None:
    told = _in_a_namespace(BEGIN + MAKE_ROOM, "300").split("|")

    assert told == ["True", "None", "300", "True", "None"]


def test_a_limit_around_this_host_is_named() -> None:
    """In a container, more may be allowed than the host around it grants."""
    what, cause, remedy = _in_a_namespace(BEGIN + WITHIN, "20", *BARE[:-1], BEGIN + REFUSED).split(
        "|"
    )

    assert what == "no inotify instances are left for one more machine"
    assert cause == f"{limits.SETTING} is 200000 here, but a host around this one allows fewer"
    assert remedy.startswith(f"sudo sysctl -w {limits.SETTING}=400000 on the host itself")


def _in_a_namespace(program: str, *words: str) -> str:
    argv = [*BARE[:-1], sys.executable, "-P", "-c", program, *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
