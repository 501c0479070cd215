"""Makes the machine trust further certificate authorities, and no longer when they go.

update-ca-certificates(8) hashes all authorities anew and takes a second or more, at a time when
somebody waits for the first boot. So an authority that is added is entered as that program would:
its file, a link by name and one by hash (openssl-rehash(1)), and its text in the bundle.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from dsvm.guest.system import run, write

FOLDER = Path("/usr/local/share/ca-certificates")
SYSTEM = Path("/etc/ssl/certs")
BUNDLE = SYSTEM / "ca-certificates.crt"
HOOKS = Path("/etc/ca-certificates/update.d")
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def apply(certificates: str) -> None:
    """Trust exactly these (PEM) besides the system's own and the user's."""
    wanted = {_name(one): one + "\n" for one in PEM.findall(certificates)}
    have = {file.name for file in FOLDER.glob("dsvm-*.crt")}
    if have == wanted.keys():
        return
    for name in have - wanted.keys():
        _take_away(name)
    new = {name: text for name, text in wanted.items() if name not in have}
    for name, text in new.items():
        write(FOLDER / name, text)
    hooked = HOOKS.is_dir() and any(HOOKS.iterdir())
    if have - wanted.keys() or hooked or not BUNDLE.exists():
        run("update-ca-certificates")
    else:
        _enter(new)


def _take_away(name: str) -> None:
    """Its file and the links to it; the bundle is made anew without it."""
    link = SYSTEM / name.replace(".crt", ".pem")
    for place in SYSTEM.glob("*.[0-9]"):
        if place.is_symlink() and place.readlink() == Path(link.name):
            place.unlink()
    link.unlink(missing_ok=True)
    (FOLDER / name).unlink()


def _enter(new: Mapping[str, str]) -> None:
    for name in new:
        link = SYSTEM / name.replace(".crt", ".pem")
        link.unlink(missing_ok=True)
        link.symlink_to(FOLDER / name)
        _link_by_hash(link)
    bundle = BUNDLE.read_text(encoding="utf-8")
    missing = [text for text in new.values() if text.strip() not in bundle]
    write(BUNDLE, bundle + "".join(missing))


def _link_by_hash(link: Path) -> None:
    subject = run("openssl", "x509", "-noout", "-hash", "-in", link).strip()
    for number in range(10):
        place = SYSTEM / f"{subject}.{number}"
        if place.is_symlink() and place.resolve() == link.resolve():
            return
        if not place.is_symlink() and not place.exists():
            place.symlink_to(link.name)
            return


def _name(certificate: str) -> str:
    return f"dsvm-{hashlib.sha256(certificate.encode()).hexdigest()[:16]}.crt"
