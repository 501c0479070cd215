"""Environments out of conda channels: solved by rattler for the machine, locked by digest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from dsvm.catalog.origins import CondaNeed
from dsvm.errors import DsvmError
from dsvm.fetch import public
from dsvm.home import Home
from dsvm.lock.model import CondaPackage, LockedConda
from dsvm.lock.reached import NotReached

if TYPE_CHECKING:
    from rattler import GenericVirtualPackage, RepoDataRecord, VirtualPackage

NoArch = Literal["python", "generic"] | None
PLATFORMS = {"amd64": "linux-64", "arm64": "linux-aarch64"}


def lock_conda(
    tool: str,
    need: CondaNeed,
    sources: Mapping[str, str],
    glibc: str,
    architecture: str,
    home: Home,
) -> LockedConda:
    """Solve for a machine with that C library and no GPU. Raises `NotReached`, `DsvmError`."""
    from rattler import Gateway, exceptions, solve

    addresses = [address(channel, sources) for channel in need.channels]
    platform = PLATFORMS[architecture]
    try:
        records = asyncio.run(
            solve(
                addresses,
                need.packages,
                gateway=Gateway(cache_dir=home.cache / "conda"),
                platforms=[platform, "noarch"],  # type: ignore[list-item]
                virtual_packages=_virtual(glibc),
            )
        )
    except (exceptions.GatewayError, exceptions.FetchRepoDataError) as fault:
        # Its lines lead from the address, which is named already, to the cause.
        why = str(fault).splitlines()[-1].removeprefix("Caused by: ")
        raise NotReached(f"{', '.join(map(public, addresses))}: {why}") from fault
    except exceptions.SolverError as fault:
        raise DsvmError(
            f"the conda packages of `{tool}` do not go together",
            cause=str(fault),
            remedy="change what its `packages` ask for",
        ) from fault
    by_address = dict(zip(addresses, need.channels, strict=True))
    packages = sorted(
        (_locked(record, by_address) for record in records), key=lambda package: package.name
    )
    python = next((one.version for one in packages if one.name == "python"), "")
    return LockedConda(
        tool=tool,
        environment=need.environment,
        requirements=tuple(need.packages),
        python=".".join(python.split(".")[:2]),
        packages=tuple(packages),
    )


def address(channel: str, sources: Mapping[str, str]) -> str:
    """Where a channel is on this host: below `[sources] conda`, else its own address."""
    if "conda" not in sources:
        return channel.rstrip("/")
    name = PurePosixPath(urlsplit(channel).path).name
    return f"{sources['conda'].rstrip('/')}/{name}"


def _virtual(glibc: str) -> list[GenericVirtualPackage | VirtualPackage]:
    """What the machine is, in conda's words: not what this host is."""
    from rattler import BuildString, GenericVirtualPackage, PackageName, Version

    have = {"__unix": "0", "__linux": "6.1", "__glibc": glibc}
    return [
        GenericVirtualPackage(PackageName(name), Version(version), BuildString("0"))
        for name, version in have.items()
    ]


def _locked(record: RepoDataRecord, by_address: Mapping[str, str]) -> CondaPackage:
    url = str(record.url)
    root = next(root for root in by_address if url.startswith(f"{root}/"))
    name = record.name.normalized
    if record.sha256 is None or record.size is None:
        raise DsvmError(
            f"the channel names no sha256 of the conda package `{name}`",
            cause=public(url),
            remedy="index the channel with a newer tool",
        )
    kind = record.noarch
    noarch: NoArch = "python" if kind.python else "generic" if kind.generic else None
    return CondaPackage(
        name=name,
        version=str(record.version),
        build=str(record.build),
        build_number=record.build_number,
        noarch=noarch,
        depends=tuple(record.depends),
        channel=by_address[root],
        path=url.removeprefix(f"{root}/"),
        sha256=record.sha256.hex(),
        size=record.size,
    )
