"""The certificate authorities that were added to this host, and only those.

A company's or lab's network often has an authority of its own. Looked at are the folders where an
administrator adds one (update-ca-certificates(8), update-ca-trust(8)), what lies in /etc/ssl/certs
without being of the ca-certificates package, and the bundles that the environment names. What the
package itself brings is left out: the machine has that package, too.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PACKAGE = Path("/usr/share/ca-certificates")
SYSTEM = Path("/etc/ssl/certs")
ADDED = (Path("/usr/local/share/ca-certificates"), Path("/etc/pki/ca-trust/source/anchors"))
BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE-----(?P<body>[^-]*)-----END CERTIFICATE-----", re.DOTALL
)


def added(
    environment: Mapping[str, str] = os.environ,
    *,
    folders: Iterable[Path] = ADDED,
    system: Path = SYSTEM,
    package: Path = PACKAGE,
    bundles: Iterable[Path] = (),
) -> str:
    """The added authorities as PEM, each once, in a stable order; empty when there is none.

    `bundles` are further files to look into (what pip's `cert` or npm's `cafile` names).
    """
    named = [Path(environment[name]) for name in BUNDLES if environment.get(name)]
    files = [*_in(folders), *_strangers(system, package), *named, *bundles]
    fresh = _certificates(files) - _certificates(_in([package]))
    return "".join(ssl.DER_cert_to_PEM_cert(one) for one in sorted(_authorities(fresh)))


def _in(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*") if path.suffix in (".crt", ".pem"))


def _strangers(system: Path, package: Path) -> Iterator[Path]:
    """Single certificates in the system's folder that do not come from the package.

    The bundle there is made of all the others; a name like `3513523f.0` is a link to one of them.
    """
    for path in sorted(system.glob("*.pem")):
        if not path.resolve().is_relative_to(package):
            yield path


def _certificates(files: Iterable[Path]) -> set[bytes]:
    """All certificates in these files, as DER."""
    found = set()
    for file in files:
        try:
            data = file.read_bytes()
        except OSError:
            continue
        for block in _PEM.finditer(data):
            try:
                found.add(base64.b64decode(block["body"]))
            except ValueError:
                continue
    return found


def _authorities(certificates: Iterable[bytes]) -> list[bytes]:
    """Those that OpenSSL reads and that may sign others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for one in certificates:
        with contextlib.suppress(ssl.SSLError):  # no certificate: of no use in the machine either
            context.load_verify_locations(cadata=one)
    return context.get_ca_certs(binary_form=True)
