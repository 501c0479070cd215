"""The bill of materials: whole, valid, the same each time."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from dsvm.catalog import load_catalog
from dsvm.lock.model import (
    CondaPackage,
    Lock,
    LockedArtifact,
    LockedConda,
    LockedCran,
    LockedNpm,
    NpmPackage,
    OsPackage,
    OsTree,
    RPackage,
)
from dsvm.sbom import as_cyclonedx
from tests.unit.lock.examples import environment, example, wheel


def deb(name: str, version: str) -> OsPackage:
    return OsPackage(
        name=name,
        version=version,
        architecture="amd64",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        size=1,
        source="debian/trixie",
        path=f"pool/{name}.deb",
    )


def tree(*packages: OsPackage) -> OsTree:
    dated = {"debian/trixie": "20261121T091544Z"}
    return OsTree(suite="trixie", roots=(), packages=packages, dated=dated)


def npm() -> LockedNpm:
    tarball = b"the tarball"
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    package = NpmPackage(
        path="node_modules/@types/node",
        name="@types/node",
        version="20.19.43",
        integrity=integrity,
        sha256=hashlib.sha256(tarball).hexdigest(),
        size=11,
    )
    packages = {"": {}, package.path: {"version": package.version, "license": "MIT"}}
    return LockedNpm(
        tool="pages",
        requirements={"@types/node": "20"},
        packages=(package,),
        package_lock=json.dumps({"packages": packages}),
    )


def conda() -> LockedConda:
    package = CondaPackage(
        name="zlib",
        version="1.3.1",
        build="h1_0",
        build_number=0,
        noarch=None,
        depends=(),
        channel="conda-forge",
        path="linux-64/zlib-1.3.1-h1_0.conda",
        sha256="c" * 64,
        size=1,
    )
    return LockedConda(
        tool="conda", environment="conda", requirements=("zlib",), python="", packages=(package,)
    )


def cran() -> LockedCran:
    package = RPackage(
        name="rattle", version="5.5.1", path="src/contrib/rattle.tar.gz", sha256="d" * 64, size=1
    )
    return LockedCran(
        tool="rattle",
        repository="https://cran.example/{snapshot}",
        snapshot="2026-11-01",
        requirements=("rattle",),
        packages=(package,),
        tree=tree(deb("gcc", "14")),
    )


def whole() -> Lock:
    """A lock with one thing of each kind, and one wheel in two environments."""
    numpy = wheel("numpy", "2.3.4")
    return example(
        os=tree(deb("git", "1:2.47.3-0+deb13u1")),
        tools_tree=tree(deb("erofs-utils", "1.8")),
        environments=(environment("base", numpy), environment("boosting", numpy)),
        npm=(npm(),),
        conda=(conda(),),
        cran=(cran(),),
        artifacts=(
            LockedArtifact(
                tool="julia", url="https://maker.example/julia-1.11.tar.gz", sha256="e" * 64, size=1
            ),
        ),
    )


def bill(lock: Lock) -> dict[str, Any]:
    git = load_catalog().tool("git")
    tools = {"julia": git.model_copy(update={"name": "julia", "licence": "MIT AND BSD-3-Clause"})}
    found: dict[str, Any] = json.loads(as_cyclonedx("lab", lock, tools))
    return found


def by_purl(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["purl"].partition("?")[0]: one for one in data["components"]}


def test_the_bill_is_valid_against_the_schema_of_cyclonedx() -> None:
    text = json.dumps(bill(whole()))

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_schema_refuses_a_bill_that_is_not_one() -> None:
    wrong = bill(whole()) | {"components": [{"name": "no type"}]}

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(wrong)) is not None


def test_everything_in_the_machine_is_in_the_bill_and_nothing_that_only_builds_it() -> None:
    assert set(by_purl(bill(whole()))) == {
        "pkg:deb/debian/git@1:2.47.3-0%2Bdeb13u1",
        "pkg:pypi/numpy@2.3.4",
        "pkg:npm/%40types/node@20.19.43",
        "pkg:cran/rattle@5.5.1",
        "pkg:conda/zlib@1.3.1",
        "pkg:generic/julia@julia-1.11.tar.gz",
    }


def test_each_component_has_its_digest_and_the_licence_that_is_known() -> None:
    found = by_purl(bill(whole()))

    assert all(one["hashes"] for one in found.values())
    node, julia = (
        found["pkg:npm/%40types/node@20.19.43"],
        found["pkg:generic/julia@julia-1.11.tar.gz"],
    )
    assert {one["alg"]: one["content"] for one in node["hashes"]} == {
        "SHA-256": hashlib.sha256(b"the tarball").hexdigest(),
        "SHA-512": hashlib.sha512(b"the tarball").hexdigest(),
    }
    assert node["licenses"] == [{"license": {"id": "MIT"}}]
    assert julia["licenses"][0]["expression"] == "MIT AND BSD-3-Clause"


def test_a_package_of_two_environments_is_one_component_with_two_places() -> None:
    numpy = by_purl(bill(whole()))["pkg:pypi/numpy@2.3.4"]

    assert [one["value"] for one in numpy["properties"]] == [
        "environment-base-cpu",
        "environment-boosting-cpu",
    ]


def test_the_machine_depends_on_every_component() -> None:
    data = bill(whole())
    root = next(one for one in data["dependencies"] if one["ref"] == "machine")

    assert sorted(root["dependsOn"]) == sorted(one["bom-ref"] for one in data["components"])


def test_the_same_lock_gives_the_same_text_and_another_lock_another_serial_number() -> None:
    assert as_cyclonedx("lab", whole(), {}) == as_cyclonedx("lab", whole(), {})
    serials = {bill(lock)["serialNumber"] for lock in (whole(), example())}
    assert len(serials) == 2
    assert bill(whole())["metadata"]["timestamp"] == "2026-11-21T09:15:44+00:00"
