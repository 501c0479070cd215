"""What apt may do on a machine whose image has NVIDIA's driver."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsvm.guest.driver_set import PACKAGE, SET, DriverSet, driver_set, guard

KERNEL = "6.12.118+deb13-cloud-amd64"
PACKAGES = {
    f"linux-image-{KERNEL}": "6.12.118-1",
    "linux-image-cloud-amd64": "6.12.118-1",
    "libcuda1": "550.163.01-4",
    "nvidia-smi": "550.163.01-4",
    PACKAGE: "550.163.01-4",
}
FOUND = DriverSet(KERNEL, "550.163.01", 12, PACKAGES)


def asked(*changes: str) -> str | None:
    """apt's word for each change `name old new`."""
    lines = ["VERSION 3", "APT::Architecture=amd64", ""]
    for change in changes:
        name, old, new = change.split()
        action = "**REMOVE**" if new == "-" else f"/var/cache/{name}.deb"
        lines.append(f"{name} {old} amd64 none < {new} amd64 none {action}")
    return guard(lines, FOUND)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("libcuda1 550.163.01-4 570.1-1", "libcuda1 570.1-1 does not go with NVIDIA's driver"),
        ("linux-image-cloud-amd64 6.12.118-1 6.12.120-1", "which has 6.12.118-1"),
        ("linux-image-6.12.120+deb13-amd64 - 6.12.120-1", "has no module of NVIDIA's driver"),
        (f"linux-image-{KERNEL} 6.12.118-1 -", "without linux-image-6.12.118"),
    ],
    ids=["library", "kernel", "other kernel", "no kernel"],
)
def test_what_parts_the_set_is_refused_with_the_remedy(change: str, why: str) -> None:
    said = asked("jq - 1.7", change)

    assert said
    assert said.startswith("refused, nothing has changed: ")
    assert why in said
    assert "dsvm lock --upgrade" in said


@pytest.mark.parametrize(
    "changes",
    [
        ("jq - 1.7", "linux-image-tools - 1"),
        ("libcuda1 550.163.01-4 550.163.01-4",),
        ("nvidia-smi 550.163.01-4 -",),
        (f"{PACKAGE} 550.163.01-4 -", "libcuda1 550.163.01-4 570.1-1"),
    ],
    ids=["others", "the same again", "a program", "the driver goes"],
)
def test_what_leaves_it_whole_or_lets_go_of_it_is_allowed(changes: tuple[str, ...]) -> None:
    assert asked(*changes) is None


def test_a_machine_without_the_driver_allows_all(tmp_path: Path) -> None:
    assert driver_set(tmp_path) is None
    assert guard(["", "libcuda1 1 amd64 none < 2 amd64 none x"], None) is None


def test_the_set_is_what_the_drivers_package_says(tmp_path: Path) -> None:
    file = tmp_path / SET.relative_to("/")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(vars(FOUND)))

    assert driver_set(tmp_path) == FOUND
