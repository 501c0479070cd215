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
EMPTY = """{
 "cells": [{"cell_type": "code", "id": "one", "source": "", "metadata": {}, "outputs": [],
            "execution_count": null}],
 "metadata": {"kernelspec": {"name": "base", "display_name": "base", "language": "python"}},
 "nbformat": 4, "nbformat_minor": 5
}"""
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


BOOK.write_text(EMPTY)
try:
    start = time.perf_counter()
    with dsvm_browser.page(dsvm_check.address("jupyterlab", way)) as page:
        # What is run before the kernel is there is forgotten.
        page.locator("#jp-main-statusbar").get_by_text("Idle").wait_for()
        page.locator(".jp-Notebook .jp-CodeCell .cm-content").click()
        page.keyboard.type("import sys; print(6 * 7, sys.prefix)")
        page.keyboard.press("Control+Enter")
        answer = page.locator(".jp-OutputArea-output pre").first
        answer.wait_for()
        said = answer.inner_text().strip()
        took = time.perf_counter() - start
    end()
finally:
    BOOK.unlink(missing_ok=True)
assert said == "42 /opt/dsvm/envs/base", f"the page shows {said!r}"
dsvm_check.passed(seconds=round(took, 1))
