"""RStudio's folder with a made .deb in place of its maker's: locked, unpacked, started, signed in.

The tool is used as it is, under another name, since no tool hides another. Its .deb holds a
stand-in for `rserver`, which takes the options that the real one knows and serves its page at the
socket it is told. What R does in it only the real one can show.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.catalog.load import PACKAGE
from dsvm.catalog.model import Tool
from dsvm.home import Home
from tests.system.lock_support import serving
from tests.system.project import Project
from tests.system.typed import Dsvm
from tests.unit.build.examples import make_deb

NAME, TOOL, OWN = "editor", "rstudio", "editor"
INSIDE = f"usr/lib/{OWN}-server"
# With git the OS packages are those of the machine `small`: its OS tree serves here, too.
DEFINITION = f"""\
name = "{NAME}"
profile = ""
tools = ["git", "{OWN}"]
[catalog]
paths = ["./our-tools"]
[size]
cpus = 1
memory = "1G"
"""
# It refuses an option that the real one does not have.
SERVER = """\
#!/usr/bin/python3
import socket, sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KNOWN = "server-daemonize server-user auth-none www-verify-user-agent www-socket rsession-which-r"
KNOWN += " server-data-dir server-pid-file database-config-file secure-cookie-key-file"
if sys.argv[1:] == ["--version"]:
    sys.exit(print("2025.09.2+418 (stand-in)"))
told = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
if unknown := told.keys() - set(KNOWN.split()):
    sys.exit(f"unrecognised options {unknown}")
if told["auth-none"] != "1" or told["server-daemonize"] != "0":
    sys.exit("it would ask for a password, or leave systemd")
if Path(told["database-config-file"]).read_text().splitlines()[0] != "provider=sqlite":
    sys.exit("no database is configured")

class Handler(SimpleHTTPRequestHandler):
    def address_string(self):
        return "socket"

class Server(ThreadingHTTPServer):
    address_family = socket.AF_UNIX
    def server_bind(self):
        self.socket.bind(self.server_address)

www = Path(__file__).parents[1] / "www"
Server(told["www-socket"], partial(Handler, directory=www)).serve_forever()
"""
PAGE = f'<script src="{OWN}/{OWN}.nocache.js"></script>\n'


@dataclass(frozen=True)
class Editor(Project):
    """The machine with the renamed tool."""

    @property
    def tool(self) -> Tool:
        return load_catalog([self.folder / "our-tools"]).tool(OWN)


@pytest.fixture(scope="module")
def editor(home: Home, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder, served = tmp_path_factory.mktemp("editor"), tmp_path_factory.mktemp("served")
    place = f"{INSIDE}/www/{OWN}/{OWN}.nocache.js"
    files = {f"{INSIDE}/bin/rserver": SERVER, f"{INSIDE}/www/index.html": PAGE, place: "start();\n"}
    deb = make_deb(served, OWN, files=files)
    (folder / "dsvm.toml").write_text(DEFINITION)
    with serving(served) as server:
        renamed(folder / "our-tools" / OWN, server.url(deb.name))
        done = dsvm("up", "--yes", cwd=folder, timeout_s=1800)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Editor(home, dsvm, folder)
        dsvm("rm", NAME, "--yes")


def renamed(target: Path, url: str) -> None:
    """The tool as it is, with another name and address, and without R and a browser."""
    shutil.copytree(PACKAGE / "tools" / TOOL, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "files" / f"{TOOL}.service").rename(target / "files" / f"{OWN}.service")
    for file in (path for path in target.rglob("*") if path.is_file()):
        text = file.read_text()
        if file.name == "tool.toml":
            text = re.sub(r'^url = ".*"$', f'url = "{url}"', text, flags=re.M)
            text = re.sub(r"^(mirrors|requires|apt) = .*$\n", "", text, flags=re.M)
        file.write_text(text.replace(TOOL, OWN))


def test_a_deb_of_the_maker_is_locked_and_opens_signed_in(editor: Editor) -> None:
    lock = json.loads((editor.folder / "dsvm.lock").read_text())
    (artifact,) = lock["artifacts"]
    report = editor.saboteur.proven(editor.tool)
    outcomes = {check.check: check.outcome for check in report.checks if check.tool == OWN}

    assert artifact["url"].endswith("/editor.deb")
    assert set(outcomes.values()) == {"passed"}, [check.reason for check in report.checks]
    assert {"answers", f"gate of {OWN}"} <= outcomes.keys()
    assert f"service {OWN}.service starts at its first use" in outcomes


def test_nobody_else_reaches_its_socket(editor: Editor) -> None:
    asked = "sudo -n -u nobody curl --silent --unix-socket {} http://editor/ || echo refused"
    for place in (f"/run/{OWN}/{OWN}.sock", f"/run/dsvm/doors/{OWN}.sock"):
        said = editor.machine.ssh.run(["bash", "-c", asked.format(place)]).stdout
        assert said == "refused\n"


def test_each_way_to_break_it_is_named(editor: Editor) -> None:
    tool = editor.tool
    faults = {one.name: editor.saboteur.fault(tool, one) for one in tool.breaks}

    assert set(faults.values()) == {None}, faults
