"""A small apt archive, Python index and npm registry on the loopback, for the tests of locking."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dsvm.catalog import load_catalog
from dsvm.catalog.model import Base, NpmNeed, Tool
from dsvm.catalog.origins import ArtifactNeed
from dsvm.home import Home
from dsvm.lock.model import OsTree
from dsvm.lock.origins import Origins, Taken
from dsvm.programs import run


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; a dated archive below /archive; a password where the server has one."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        wanted = "Basic " + base64.b64encode((self.server.password or "").encode()).decode()
        if self.server.password and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="lab"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if moved := self._earlier():
            self.send_response(302)
            self.send_header("Location", moved)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    def _earlier(self) -> str | None:
        """A dated archive answers for any time with the last state it took in before."""
        parts = self.path.split("/")
        if len(parts) < 5 or parts[1] != "archive":
            return None
        states = sorted(path.name for path in Path(self.directory, *parts[1:3]).iterdir())
        before = [state for state in states if state <= parts[3]]
        if not before or before[-1] == parts[3]:
            return None
        return "/".join([*parts[:3], before[-1], *parts[4:]])

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[str]
    password: str | None = None

    def url(self, path: str = "", user: str = "") -> str:
        return f"http://{user}{'@' if user else ''}127.0.0.1:{self.server_port}/{path}"


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Archive:
    """A signed apt archive of one suite, `test`; `publish` writes its indexes anew."""

    root: Path
    keys: Path
    debs: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def keyring(self) -> Path:
        return self.keys / "keyring.gpg"

    def make_key(self) -> None:
        self.keys.mkdir(mode=0o700)
        words = ["--quick-gen-key", "Test archive <test@example.org>", "rsa2048", "sign", "never"]
        self._gpg("--batch", "--passphrase", "", *words)
        self._gpg("--output", str(self.keyring), "--export")

    def add(self, name: str, version: str = "1.0", **fields: str) -> None:
        """Build a package of this name, with more fields of its control file."""
        tree = self.keys.parent / "build" / f"{name}_{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        control = {
            "Package": name, "Version": version, "Architecture": "all", "Priority": "optional",
            "Maintainer": "Test <test@example.org>", "Description": "test", **fields,
        }  # fmt: skip
        text = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in control.items())
        (tree / "DEBIAN" / "control").write_text(text)
        file = f"pool/{name}_{version}_all.deb"
        (self.root / "pool").mkdir(parents=True, exist_ok=True)
        run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, self.root / file])
        self.debs[name, version] = text + _facts(self.root / file, file)

    def remove(self, name: str, version: str) -> None:
        del self.debs[name, version]
        (self.root / f"pool/{name}_{version}_all.deb").unlink()

    def publish(self, made: datetime | None = None) -> None:
        suite = self.root / "dists" / "test"
        index = "main/binary-amd64/Packages"
        (suite / index).parent.mkdir(parents=True, exist_ok=True)
        (suite / index).write_text("\n".join(self.debs.values()))
        data = (suite / index).read_bytes()
        (suite / "Release").write_text(
            f"Suite: test\nCodename: test\nArchitectures: amd64 all\nComponents: main\n"
            f"Date: {format_datetime(made or datetime.now(UTC), usegmt=True)}\n"
            f"SHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} {index}\n"
        )
        release = suite / "InRelease"
        before = release.stat().st_mtime if release.exists() else 0
        self._gpg(
            "--batch", "--yes", "--output", str(release), "--clearsign", f"{release.parent}/Release"
        )
        # HTTP tells times in whole seconds: published twice in one, it would be "not modified".
        later = max(release.stat().st_mtime, before + 1)
        os.utime(release, (later, later))

    def _gpg(self, *words: str) -> None:
        run(["gpg", "--homedir", self.keys, "--quiet", *words])

    def close(self) -> None:
        run(["gpgconf", "--homedir", self.keys, "--kill", "all"], check=False)


def _facts(path: Path, file: str) -> str:
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return f"Filename: {file}\nSize: {len(data)}\nSHA256: {digest}\n"


def wheel(
    folder: Path, name: str, version: str, tag: str = "py3-none-any", needs: tuple[str, ...] = ()
) -> Path:
    """A wheel without any code, in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
    with zipfile.ZipFile(path, "w") as file:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
        file.writestr(f"{info}/METADATA", metadata)
        file.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: t\nTag: {tag}\n")
        file.writestr(f"{info}/RECORD", "")
    return path


def archive(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """A source archive, in the folder, whose setup.py nobody must run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.tar.gz"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n"
    refuses = "raise SystemExit('it was run')\n"
    with tarfile.open(path, "w:gz") as tar:
        for place, text in {"PKG-INFO": about, "setup.py": refuses, **files}.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{place}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return path


def index(folder: Path) -> None:
    """Write the pages of a simple index (PEP 503) for what is in `folder/files`."""
    pages: dict[str, str] = {}
    for path in sorted((folder / "files").iterdir()):
        name = path.name.partition("-")[0].replace("_", "-").lower()
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        line = f'<a href="../../files/{path.name}#sha256={sha256}">{path.name}</a>\n'
        pages[name] = pages.get(name, "<!DOCTYPE html>\n") + line
    for name, page in pages.items():
        (folder / "simple" / name).mkdir(parents=True, exist_ok=True)
        (folder / "simple" / name / "index.html").write_text(page)


def npm_package(
    folder: Path,
    root: str,
    name: str,
    *versions: str,
    more: Mapping[str, object] | None = None,
    **needs: str,
) -> None:
    """Put a package in an npm registry of files; `root` is the registry's address.

    `needs` are its dependencies, `more` other fields of its package.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = {}
    for version in versions:
        manifest = {"name": name, "version": version, "dependencies": needs, **(more or {})}
        tarball = folder / f"{name}-{version}.tgz"
        with tarfile.open(tarball, "w:gz") as tar:
            for file, text in (("package.json", json.dumps(manifest)), ("index.js", "// empty")):
                entry = tarfile.TarInfo(f"package/{file}")
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text.encode()))
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        dist = {"tarball": f"{root}{tarball.name}", "integrity": f"sha512-{digest}"}
        known[version] = {**manifest, "dist": dist}
    packument = {"name": name, "dist-tags": {"latest": versions[-1]}, "versions": known}
    (folder / name).write_text(json.dumps(packument))


def artifact_tool(url: str) -> Tool:
    known = load_catalog().tools["git"]
    return known.model_copy(update={"name": "editor", "artifact": ArtifactNeed(url=url)})


def lock_origin(tool: Tool, home: Home) -> Taken:
    """The origin of a tool that has only artifacts."""

    def no_tree(base: Base, packages: Sequence[str]) -> OsTree:
        raise NotImplementedError

    bases = load_catalog().bases
    return Origins(home, bases, no_tree, no_builder, bases["debian-13"]).lock(tool, Taken())


def no_builder(packages: Sequence[str]) -> OsTree:
    """For origins that are not built from source."""
    raise NotImplementedError


def npm_tool(*without_scripts: str, **packages: str) -> Tool:
    known = load_catalog().tools["git"]
    need = NpmNeed(packages=packages, without_scripts=list(without_scripts))
    return known.model_copy(update={"name": "editor", "npm": need})
