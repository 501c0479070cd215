"""What Python checks of several tools import, used as a check uses it: in a process of its own."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dsvm.verify import inside

LIB = Path(inside.__file__).parent / "lib"
# The oldest Python that an environment of a base has.
OLDEST = (3, 11)


def check(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run the text of a check as `verify` does, in `folder`."""
    return subprocess.run(
        [sys.executable, "-c", f"import dsvm_check\n{program}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(LIB)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def served(answer: str) -> str:
    """The beginning of a check that answers each GET by `answer(self)`."""
    return f"""
from http.server import BaseHTTPRequestHandler
class Service(BaseHTTPRequestHandler):
    def do_GET(self):
        {answer}
    def log_message(self, *told):
        pass
"""


def test_it_needs_nothing_but_the_standard_library_of_the_oldest_python() -> None:
    tree = ast.parse((LIB / "dsvm_check.py").read_text(encoding="utf-8"), feature_version=OLDEST)
    nodes = list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_a_check_in_the_python_of_another_environment_fails(tmp_path: Path) -> None:
    done = check(tmp_path, "dsvm_check.lives_in('boosting')")

    assert done.returncode == 1
    assert f"this is the Python of {sys.prefix}, not of /opt/dsvm/envs/boosting" in done.stderr


def test_a_server_is_there_within_the_block_and_gone_behind_it(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("hello")
    done = check(
        tmp_path,
        """
import sys, urllib.error
port = dsvm_check.free_port()
page = f"http://127.0.0.1:{port}/page"
argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
with dsvm_check.server(argv, page) as process:
    body = dsvm_check.fetch(page).decode()
assert process.poll() is not None
try:
    dsvm_check.fetch(page)
except urllib.error.URLError as gone:
    dsvm_check.passed(body=body, gone="refused" in str(gone))
""",
    )

    assert json.loads(done.stdout) == {"body": "hello", "gone": True}, done.stderr


def test_a_server_that_ends_at_once_is_told_in_its_own_words(tmp_path: Path) -> None:
    done = check(
        tmp_path,
        """
import sys
argv = [sys.executable, "-c", "import sys; sys.exit('no room left')"]
with dsvm_check.server(argv, "http://127.0.0.1:9/"):
    pass
""",
    )

    assert done.returncode == 1
    assert "the server ended with status 1: no room left" in done.stderr


def test_a_server_that_stays_silent_is_told_with_what_it_said(tmp_path: Path) -> None:
    done = check(
        tmp_path,
        """
port = dsvm_check.free_port()
argv = ["sh", "-c", "echo still loading; exec sleep 60"]
with dsvm_check.server(argv, f"http://127.0.0.1:{port}/", within_s=0.5):
    pass
""",
    )

    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "the server said: still loading" in done.stderr


def test_an_error_of_a_server_ends_the_check_with_the_servers_words(tmp_path: Path) -> None:
    refuses = "self.send_response(403); self.end_headers(); self.wfile.write(b'not you')"
    done = check(
        tmp_path,
        served(refuses) + "with dsvm_check.answering(Service) as at: dsvm_check.fetch(at + '/x')",
    )

    assert done.returncode == 1
    assert "/x answers 403: not you" in done.stderr


def test_a_local_server_is_asked_directly_though_there_is_a_proxy(tmp_path: Path) -> None:
    answers = "self.send_response(200); self.end_headers(); self.wfile.write(b'[6, 7]')"
    done = check(
        tmp_path,
        served(answers)
        + """
import os
os.environ["http_proxy"] = "http://127.0.0.1:9"
with dsvm_check.answering(Service) as at:
    dsvm_check.passed(body=dsvm_check.fetch_json(at))
""",
    )

    assert json.loads(done.stdout) == {"body": [6, 7]}, done.stderr


def test_an_app_is_visited_as_its_person_does_who_signs_in_once(tmp_path: Path) -> None:
    gate = """
        signs_in = self.path == "/dsvm-signin/of-this-machine/start.html"
        known = self.headers["Cookie"] == "mine=1"
        self.send_response(302 if signs_in else 200 if known else 403)
        if signs_in:
            self.send_header("Set-Cookie", "mine=1; Path=/")
            self.send_header("Location", "/start.html")
        self.end_headers()
        self.wfile.write(self.path.encode())
"""
    done = check(
        tmp_path,
        served(gate.strip())
        + """
from pathlib import Path
dsvm_check.APPS = Path.cwd()
with dsvm_check.answering(Service) as at:
    port = at.rpartition(":")[2]
    Path("editor.env").write_text(f"DSVM_TOKEN=of-this-machine\\nDSVM_PORT={port}\\n")
    visit = dsvm_check.Visit("editor", "start.html")
    dsvm_check.passed(page=visit.page, more=visit.get("/more").decode())
    Path("editor.env").write_text(f"DSVM_TOKEN=of-another\\nDSVM_PORT={port}\\n")
    dsvm_check.Visit("editor")
""",
    )

    assert json.loads(done.stdout) == {"page": "/start.html", "more": "/more"}, done.stderr
    assert "/dsvm-signin/of-another/ answers 403: /dsvm-signin/of-another/" in done.stderr


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_program_that_fails_is_told_in_its_own_words(tmp_path: Path, stream: str) -> None:
    to = ">&2" if stream == "stderr" else ""
    done = check(tmp_path, f"dsvm_check.say(['sh', '-c', 'echo no such bucket {to}; exit 4'])")

    assert done.returncode == 1
    assert "sh ended with status 4: no such bucket" in done.stderr


def test_an_app_is_found_where_its_environment_file_says(tmp_path: Path) -> None:
    (tmp_path / "lake.env").write_text("DSVM_TOKEN=abc=\nDSVM_PORT=8732\n")
    told = "dsvm_check.APPS = dsvm_check.Path.cwd()\n"

    done = check(
        tmp_path,
        f"{told}print(dsvm_check.address('lake'), dsvm_check.address('lake', '/?t={{token}}'))",
    )

    assert done.stdout.split() == [
        "http://127.0.0.1:8732/dsvm-signin/abc=/",
        "http://127.0.0.1:8732/?t=abc=",
    ]
