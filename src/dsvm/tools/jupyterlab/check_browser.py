"""In a browser: signed in, a cell is typed into a notebook and run; the page shows the result."""

import json
import os
import time
import urllib.request
from pathlib import Path

import dsvm_browser
import dsvm_check

dsvm_check.lives_in("browser")
# A name of its own: a person's notebooks stay.
BOOK = Path.home() / f"dsvm-check-{os.getpid()}.ipynb"
# A workspace of its own: what a person had open is not looked for.
way = f"/lab/workspaces/{BOOK.stem}/tree/{BOOK.name}?token={{token}}"
base, token = dsvm_check.app("jupyterlab")
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(method, path):
    """What the server answers to a request of its API."""
    headers = {"Authorization": f"token {token}"}
    request = urllib.request.Request(f"{base}/{path}", method=method, headers=headers)
    with opener.open(request) as reply:
        return json.loads(reply.read() or "null")


def end():
    """A kernel and a workspace outlive their page."""
    for session in ask("GET", "api/sessions"):
        if session["path"] == BOOK.name:
            ask("DELETE", f"api/sessions/{session['id']}")
    ask("DELETE", f"lab/api/workspaces/{BOOK.stem}")


BOOK.write_text(dsvm_browser.NOTEBOOK)
try:
    start = time.perf_counter()
    with dsvm_browser.page(dsvm_check.address("jupyterlab", way)) as page:
        said = dsvm_browser.run_cell(page, "import sys; print(6 * 7, sys.prefix)")
        took = time.perf_counter() - start
    end()
finally:
    BOOK.unlink(missing_ok=True)
assert said == "42 /opt/dsvm/envs/base", f"the page shows {said!r}"
dsvm_check.passed(seconds=round(took, 1))
