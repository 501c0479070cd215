"""Parts of the guest that need nothing but text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsvm.guest import layers, overlay, system, users
from dsvm.guest.credentials import has_credentials, redacted
from dsvm.guest.outcome import EnvironmentState, Outcome
from dsvm.guest.processes import using
from dsvm.guest.seed import Seed
from dsvm.guest.seedfile import parse
from dsvm.guest.system import GuestError

# All that may stand in the first part of an address without ending it.
PASSWORD = "".join(char for char in map(chr, range(33, 127)) if char not in "/\"'")


def seed(**changes: object) -> str:
    whole: dict[str, object] = dict.fromkeys(Seed.__annotations__, "x")
    lists = ("environments", "kernels", "apps", "users", "trees", "units", "authorized_keys")
    whole |= {name: [] for name in lists} | {"version": 1, "network": None}
    return json.dumps(whole | changes)


def test_a_seed_of_another_version_is_refused() -> None:
    with pytest.raises(GuestError, match="version"):
        parse(seed(version=2))


def test_a_seed_that_lacks_something_names_it() -> None:
    whole = json.loads(seed())
    del whole["trees"]

    with pytest.raises(GuestError, match="lacks trees"):
        parse(json.dumps(whole))


def test_a_name_that_leads_out_of_its_folder_is_refused() -> None:
    with pytest.raises(GuestError, match="cannot be used"):
        parse(seed(users=[{"name": "../root", "keys": []}]))


@pytest.mark.parametrize(
    "text",
    [
        "http://ann:word@proxy.lab:3128",
        "https://token@mirror.lab/simple",
        "//registry.lab/:_authToken=npm_abc",
        "machine mirror.lab login ann password word",
    ],
)
def test_credentials_are_found_and_taken_out(text: str) -> None:
    assert has_credentials(text)
    shown = redacted(text)
    assert "***" in shown
    assert not any(secret in shown for secret in ("word@", "token@", "npm_abc", "password word"))


def test_a_plain_address_is_shown_as_it_is() -> None:
    assert not has_credentials("https://mirror.lab/simple")
    assert redacted("http://proxy.lab:3128") == "http://proxy.lab:3128"


@given(st.text(alphabet=PASSWORD, min_size=1))
def test_no_password_survives_redaction(password: str) -> None:
    text = redacted(f"http://ann:{password}@proxy.lab:3128/")

    assert text == "http://***@proxy.lab:3128/"


def test_the_topmost_mount_is_nobodys_parent_there(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "20 1 0:1 / / rw - ext4 /dev/sda rw\n"
        "31 30 0:3 / /opt/e rw shared:1 - overlay upper rw,lowerdir=/l\\040x\n"
        "30 20 0:2 / /opt/e rw - overlay below rw\n"
    )

    assert system.mounts(table)["/opt/e"] == ("upper", "overlay", "rw,rw,lowerdir=/l x")


def test_a_disk_is_found_by_its_serial_number(tmp_path: Path) -> None:
    (tmp_path / "vda").mkdir()
    (tmp_path / "nvme0n1" / "device").mkdir(parents=True)
    (tmp_path / "vda" / "serial").write_text("0123456789abcdef0123")
    (tmp_path / "nvme0n1" / "device" / "serial").write_text("dsvm-seed   \n")

    assert layers.device_with_serial("0123456789abcdef0123", tmp_path) == Path("/dev/vda")
    assert layers.device_with_serial("dsvm-seed", tmp_path) == Path("/dev/nvme0n1")
    assert layers.device_with_serial("other", tmp_path) is None


def test_a_missing_layer_is_told_with_all_places_looked_at() -> None:
    with pytest.raises(GuestError, match=r"layer f{20} is not there: no mount at .*, no disk"):
        layers.mounted("f" * 64, 1, wait_s=0)


def test_separators_in_a_path_do_not_end_a_mount_option() -> None:
    shown = overlay.options([Path("/k"), Path("/l")], Path("/a,b:c"))

    assert "lowerdir=/k:/l,upperdir=/a\\,b\\:c/upper," in shown


def test_only_the_managed_lines_of_pam_are_replaced() -> None:
    text = "auth one\n# begin dsvm\nsession x\n# end dsvm\nsession two\n"

    assert users._without_block(text) == "auth one\nsession two\n"


def test_writing_the_same_again_is_no_change(tmp_path: Path) -> None:
    import os

    who: dict[str, Any] = {"uid": os.getuid(), "gid": os.getgid()}
    file = tmp_path / "below" / "file"

    assert system.write(file, "a", mode=0o600, **who)
    assert not system.write(file, "a", mode=0o600, **who)
    assert system.write(file, "b", mode=0o600, **who)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def test_the_login_message_has_one_line_an_environment() -> None:
    common = {"mountpoint": "/m", "device": None, "layer": None, "reason": ""}
    good = EnvironmentState(name="base", python="3.13", variant="cpu", **common)  # type: ignore[arg-type]
    bad = EnvironmentState(name="x", python="3.13", variant=None, error="no layer", **common)  # type: ignore[arg-type]
    chosen = replace(good, name="torch", reason="no GPU")
    out = Outcome(name="lab", environments=[good, chosen, bad], errors=["no layer of x"])

    assert out.message().splitlines() == [
        "dsvm machine lab",
        "  base: Python 3.13, cpu",
        "  torch: Python 3.13, cpu (no GPU)",
        "  x: FAILED, no layer",
        "  ERROR: no layer of x",
    ]


def test_running_kernels_of_an_environment_are_found(tmp_path: Path) -> None:
    for pid, line in (("7", "/e/base/bin/python\0-m\0ipykernel_launcher\0"), ("8", "/bin/sh\0")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_text(line)

    found = using(Path("/e/base"), proc=tmp_path)

    assert [(one.pid, one.kernel) for one in found] == [(7, True)]
