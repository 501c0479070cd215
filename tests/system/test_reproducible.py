"""The same lock gives the same bytes: for anyone, in any folder, at any time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsvm.home import Home
from dsvm.lock.model import Lock
from tests.system.build_support import (
    CHECKOUT,
    built_elsewhere,
    copy_downloads,
    digests,
    locked,
    right_clock,
    small,
    wrong_clock,
)
from tests.system.host_user import host_user

USER = "dsvm-test"


@pytest.fixture(scope="module")
def lock(home: Home) -> Lock:
    return locked(small(), home)


@pytest.fixture(scope="module")
def reference(lock: Lock, home: Home) -> dict[str, str]:
    """What is built first, in the home of all system tests."""
    return digests(lock, home)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that any user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="another place ") as made:
        Path(made).chmod(0o755)
        yield Path(made)
    right_clock()


@pytest.fixture
def ordinary_user(folder: Path) -> Iterator[str]:
    """A new user with a range of user ids, whose home is in the folder."""
    with host_user(USER, "--home-dir", str(folder / "home")):
        yield USER


def test_layers_are_identical_in_another_place_a_day_later_under_another_umask(
    lock: Lock, home: Home, reference: dict[str, str], folder: Path
) -> None:
    other = Home(folder / "elsewhere")
    copy_downloads(lock, home, other)
    programs, seen = wrong_clock(folder)
    began = time.time()

    found = built_elsewhere(
        lock,
        other,
        prefix=("sh", "-c", 'umask 077; exec "$@"', "sh"),
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TZ": "Asia/Tokyo",
            "LANG": "de_DE.UTF-8",
        },
    )

    assert int(seen.read_text()) > began + 23 * 3600, "the clock inside was not wrong"
    assert found == reference


def test_layers_are_identical_without_root(
    lock: Lock, home: Home, reference: dict[str, str], folder: Path, ordinary_user: str
) -> None:
    python = _python_for(ordinary_user)
    other = Home(folder / "home" / "dsvm")
    copy_downloads(lock, home, other)
    shutil.chown(folder / "home", ordinary_user)
    subprocess.run(["chown", "-R", ordinary_user, folder / "home"], check=True)

    found = built_elsewhere(
        lock,
        other,
        prefix=("setpriv", f"--reuid={ordinary_user}", f"--regid={ordinary_user}", "--init-groups"),
        python=python,
        env={"HOME": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert found == reference


def _python_for(user: str) -> str:
    """A Python that the user may run and that can load this one's packages."""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    code = f"import sys, pathlib; assert sys.version.startswith({wanted!r}); "
    code += f"assert pathlib.Path({str(CHECKOUT / 'src')!r}).is_dir(); "
    for path in sys.path:
        if "site-packages" in path:
            code += f"assert pathlib.Path({path!r}).is_dir(); "
    for python in (sys.executable, f"/usr/bin/python{wanted}"):
        words = ["setpriv", f"--reuid={user}", "--clear-groups", python, "-c", code]
        if subprocess.run(words, capture_output=True).returncode == 0:
            return python
    pytest.skip(f"an ordinary user reaches neither {CHECKOUT} nor a Python {wanted} on this host")
