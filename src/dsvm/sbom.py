"""The bill of materials of a machine, from its lock: CycloneDX 1.6 as JSON (`as_cyclonedx`).

It holds what is in the machine: OS packages, Python, npm, R and conda packages, and artifacts. What
only builds it (file-system tools, compilers of R packages) is left out. The same lock gives the
same text: its serial number is made from the lock, its time is that of the newest index of OS
packages. Licences are those that a lock or a tool folder knows: of npm packages, and of artifacts.
Specification: https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from dsvm import __version__
from dsvm.catalog.model import Tool
from dsvm.lock.model import Lock, LockedConda, LockedCran, LockedHub, LockedNpm, OsTree

PART = "dsvm:part"
"""The property that says where in the machine a component is; it has one for each place."""
NAMESPACE = uuid.UUID("5b0f6a0e-5f0c-4d8c-9d38-6f9c3a0f6f57")
# Of this form are the times of indexes in a lock.
DATED = "%Y%m%dT%H%M%SZ"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_cyclonedx(name: str, lock: Lock, tools: Mapping[str, Tool]) -> str:
    """The bill of the machine `name`; `tools` are the catalog's, for their licences."""
    root = Component(
        name=name,
        version=lock.request[:16],
        type=ComponentType.OPERATING_SYSTEM,
        description=f"data science virtual machine on {lock.base}",
        bom_ref="machine",
    )
    components = _merged(_components(lock, tools))
    maker = Component(name="dsvm", version=__version__, type=ComponentType.APPLICATION)
    bom = Bom(
        components=components,
        serial_number=uuid.uuid5(NAMESPACE, f"{name}\n{lock.model_dump_json()}"),
        metadata=BomMetaData(
            component=root, timestamp=_time(lock), tools=ToolRepository(components=[maker])
        ),
    )
    bom.register_dependency(root, components)
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _components(lock: Lock, tools: Mapping[str, Tool]) -> Iterator[tuple[Component, str]]:
    """Each component and the part of the machine it is in; the same one may come again."""
    yield from _debs(lock.os, lock.base, "os")
    for version, tree in lock.interpreters.items():
        yield from _debs(tree, lock.base, f"python-{version}")
    for debs in lock.debs:
        yield from _debs(debs.tree, debs.base, f"app-{debs.tool}")
    yield from _wheels(lock)
    for npm in lock.npm:
        yield from _npm(npm)
    for cran in lock.cran:
        yield from _cran(cran)
    for conda in lock.conda:
        yield from _conda(conda)
    for hub in lock.hub:
        yield from _hub(hub)
    yield from _artifacts(lock, tools)


def _merged(found: Iterable[tuple[Component, str]]) -> list[Component]:
    """Each component once, with all its places; by its reference, so in a fixed order."""
    components: dict[str, Component] = {}
    for component, part in found:
        known = components.setdefault(str(component.bom_ref.value), component)
        known.properties.add(Property(name=PART, value=part))
    return [components[ref] for ref in sorted(components)]


def _component(purl: PackageURL, hashes: Mapping[HashAlgorithm, str], **more: Any) -> Component:
    """A library of this address; it is told from others of that address by its digest."""
    digest = hashes[HashAlgorithm.SHA_256]
    return Component(
        name=purl.name,
        group=purl.namespace if purl.type == "npm" else None,
        version=purl.version,
        purl=purl,
        bom_ref=f"{purl}#{digest[:16]}",
        hashes=[HashType(alg=alg, content=text) for alg, text in hashes.items()],
        **more,
    )


def _sha256(digest: str) -> dict[HashAlgorithm, str]:
    return {HashAlgorithm.SHA_256: digest}


def _debs(tree: OsTree, base: str, part: str) -> Iterator[tuple[Component, str]]:
    for one in tree.packages:
        qualifiers = {"arch": one.architecture, "distro": tree.suite}
        system = base.partition("-")[0]
        purl = PackageURL("deb", system, one.name, one.version, qualifiers)
        yield _component(purl, _sha256(one.sha256)), part


def _wheels(lock: Lock) -> Iterator[tuple[Component, str]]:
    for environment in lock.environments:
        for one in environment.packages:
            purl = PackageURL("pypi", None, one.name, one.version, {"file_name": one.file})
            part = f"environment-{environment.name}-{environment.variant}"
            yield _component(purl, _sha256(one.sha256)), part


def _npm(npm: LockedNpm) -> Iterator[tuple[Component, str]]:
    entries = json.loads(npm.package_lock)["packages"]
    for one in npm.packages:
        group, _, short = one.name.rpartition("/")
        purl = PackageURL("npm", group or None, short, one.version)
        licence = entries.get(one.path, {}).get("license")
        hashes = _sha256(one.sha256) | _sha512(one.integrity)
        yield _component(purl, hashes, licenses=_licences(licence)), f"app-{npm.tool}"


def _sha512(integrity: str) -> dict[HashAlgorithm, str]:
    """npm's `sha512-<base64>` as CycloneDX writes it; other kinds are left out."""
    import base64

    kind, _, text = integrity.partition("-")
    return {HashAlgorithm.SHA_512: base64.b64decode(text).hex()} if kind == "sha512" else {}


def _cran(cran: LockedCran) -> Iterator[tuple[Component, str]]:
    for one in cran.packages:
        purl = PackageURL("cran", None, one.name, one.version)
        yield _component(purl, _sha256(one.sha256)), f"app-{cran.tool}"


def _conda(conda: LockedConda) -> Iterator[tuple[Component, str]]:
    for one in conda.packages:
        subdir, _, file = one.path.rpartition("/")
        kind = "conda" if file.endswith(".conda") else "tar.bz2"
        qualifiers = {
            "build": one.build,
            "channel": one.channel,
            "subdir": subdir,
            "type": kind,
        }
        purl = PackageURL("conda", None, one.name, one.version, qualifiers)
        yield _component(purl, _sha256(one.sha256)), f"environment-{conda.environment}"


def _hub(hub: LockedHub) -> Iterator[tuple[Component, str]]:
    owner, _, name = hub.repository.partition("/")
    for one in hub.files:
        purl = PackageURL(hub.hub, owner, name, hub.revision, subpath=one.path)
        yield _component(purl, _sha256(one.sha256)), f"app-{hub.tool}"


def _artifacts(lock: Lock, tools: Mapping[str, Tool]) -> Iterator[tuple[Component, str]]:
    for one in lock.artifacts:
        file = one.url.partition("?")[0].rpartition("/")[2]
        purl = PackageURL("generic", None, one.tool, file, {"download_url": one.url})
        tool = tools.get(one.tool)
        place = ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(one.url))
        more = {"licenses": _licences(tool.licence if tool else None)}
        yield (
            _component(purl, _sha256(one.sha256), external_references=[place], **more),
            f"app-{one.tool}",
        )


def _licences(text: object) -> list[Any]:
    """An SPDX identifier or expression as that, anything else as a licence's name."""
    if not isinstance(text, str) or not text.strip():
        return []
    return [LicenseFactory().make_from_string(text.strip())]


def _time(lock: Lock) -> datetime:
    dated = [text for tree in lock.trees for text in tree.dated.values()]
    newest = max(dated, default=None)
    return datetime.strptime(newest, DATED).replace(tzinfo=UTC) if newest else EPOCH
