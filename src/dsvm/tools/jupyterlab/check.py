"""Runs a notebook on every kernel of the machine through the server's own API.

Protocols: https://jupyter-server.readthedocs.io (REST, the kernels' websocket) and
https://jupyter-client.readthedocs.io/en/stable/messaging.html.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import dsvm_check
import websocket

KERNELS = Path("/usr/local/share/jupyter/kernels")
READY_S = 20
ANSWER_S = 90
LISTEN_S = 5
CODE = {
    "python": "import sys; print(6 * 7, sys.prefix)",
    "R": "cat(6 * 7, R.home())",
    "julia": "println(6 * 7)",
    "octave": "disp(6 * 7)",
    "scala": "println(6 * 7)",
}
base, token = dsvm_check.app("jupyterlab")


def call(method, path, body=None):
    request = urllib.request.Request(
        f"{base}{path}",
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as reply:
            text = reply.read()
    except urllib.error.HTTPError as refused:
        said = refused.read().decode(errors="replace")[-500:]
        raise RuntimeError(f"{method} {path} answers {refused.code}: {said}") from None
    return json.loads(text) if text else None


def wait_until_ready():
    """The seconds it took the server to answer; it may have been started just now."""
    began = time.monotonic()
    while True:
        try:
            call("GET", "/api/status")
            return time.monotonic() - began
        except RuntimeError as refused:
            sys.exit(f"the server refuses its own token: {refused}")
        except OSError as silent:
            if time.monotonic() - began > READY_S:
                sys.exit(f"jupyterlab.service does not answer at {base}: {silent}")
            time.sleep(0.2)


def proper_place(spec):
    """Where the kernel says it runs; None when its spec does not tell."""
    about = spec.get("metadata", {}).get("dsvm", {})
    if about.get("kind") == "environment":
        return f"/opt/dsvm/envs/{about['environment']}"
    if about.get("kind") == "own":
        return about["environment"]
    return "/usr/lib/R" if spec["language"] == "R" else None


def run_notebook(name, spec):
    """A notebook of one cell, run and saved; returns what is wrong with it, or None."""
    path = f"dsvm-check-{os.getpid()}-{uuid.uuid4().hex[:8]}.ipynb"
    code = CODE.get(spec["language"], "6 * 7")
    cell = {"cell_type": "code", "id": "one", "source": code, "metadata": {}, "outputs": []}
    cell["execution_count"] = 1
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    session = None
    try:
        call("PUT", f"/api/contents/{path}", {"type": "notebook", "content": book})
        wanted = {"path": path, "name": path, "type": "notebook", "kernel": {"name": name}}
        session = call("POST", "/api/sessions", wanted)
        cell["outputs"] = execute(session["kernel"]["id"], code)
        call("PUT", f"/api/contents/{path}", {"type": "notebook", "content": book})
        saved = call("GET", f"/api/contents/{path}")["content"]["cells"][0]["outputs"]
        return judge(name, spec, "".join("".join(part["text"]) for part in saved))
    except (OSError, RuntimeError, websocket.WebSocketException) as failed:
        return f"kernel `{name}`: {failed}{own_words(spec)}"
    finally:
        if session:
            with suppress(RuntimeError):  # the server has removed that of a kernel that died
                call("DELETE", f"/api/sessions/{session['id']}")
        # Not through the server, which would leave the file in the person's trash.
        (Path.home() / path).unlink(missing_ok=True)


def own_words(spec):
    """Why a Python kernel cannot start, in its own words; the server keeps them to itself."""
    if spec["language"] != "python":
        return ""
    argv = [spec["argv"][0], "-c", "import ipykernel_launcher, ipykernel.kernelapp"]
    try:
        said = subprocess.run(argv, capture_output=True, text=True, timeout=ANSWER_S).stderr
    except OSError as missing:
        said = str(missing)
    return f": {said.strip().splitlines()[-1]}" if said.strip() else ""


def judge(name, spec, printed):
    answer, _, where = printed.strip().partition(" ")
    if answer != "42":
        return f"kernel `{name}` computes 6 * 7 = {printed!r}"
    proper = proper_place(spec)
    if proper and spec["language"] in CODE and os.path.realpath(where) != os.path.realpath(proper):
        return f"kernel `{name}` runs in {where} and not in its own environment {proper}"
    return None


def execute(kernel, code):
    """What the code prints, as notebook outputs. Raises RuntimeError with the kernel's error."""
    url = f"ws://{base.removeprefix('http://')}/api/kernels/{kernel}/channels?session_id={uuid.uuid4().hex}"
    header = [f"Authorization: token {token}"]
    # The server lets in once the kernel has started; after that, silence is looked into.
    socket = websocket.create_connection(url, timeout=ANSWER_S, header=header)
    socket.settimeout(LISTEN_S)
    try:
        asked = send(socket, "execute_request", code)
        outputs, late = [], time.monotonic() + ANSWER_S
        while time.monotonic() < late:
            try:
                told = json.loads(socket.recv())
            except websocket.WebSocketTimeoutException:
                alive(kernel)
                continue
            content, kind = told["content"], told["msg_type"]
            if kind == "status" and content["execution_state"] in ("dead", "restarting"):
                raise RuntimeError("the kernel died")
            if told.get("parent_header", {}).get("msg_id") != asked:
                continue
            if kind == "error":
                raise RuntimeError(f"{content['ename']}: {content['evalue']}")
            if kind == "stream":
                outputs.append({"output_type": "stream", "name": "stdout", "text": content["text"]})
            if kind == "execute_result":
                text = content["data"].get("text/plain", "")
                outputs.append({"output_type": "stream", "name": "stdout", "text": text})
            if kind == "status" and content["execution_state"] == "idle":
                return outputs
        raise RuntimeError(f"no answer within {ANSWER_S} s")
    finally:
        socket.close()


def alive(kernel):
    """Raises RuntimeError when the server has given the kernel up."""
    try:
        state = call("GET", f"/api/kernels/{kernel}")["execution_state"]
    except RuntimeError:
        state = "dead"
    if state == "dead":
        raise RuntimeError("the kernel does not start")


def send(socket, kind, code):
    identity = uuid.uuid4().hex
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    header = {
        "msg_id": identity,
        "msg_type": kind,
        "username": "dsvm",
        "session": identity,
        "version": "5.3",
    }
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    socket.send(json.dumps({**message, "channel": "shell", "buffers": []}))
    return identity


ready = wait_until_ready()
specs = {
    name: found["spec"] for name, found in call("GET", "/api/kernelspecs")["kernelspecs"].items()
}
missing = [found.name for found in KERNELS.iterdir() if found.is_dir() and found.name not in specs]
assert not missing, f"the server does not offer the kernels {', '.join(sorted(missing))}"
if not specs:
    print("this machine has no kernel: no environment, and no tool that brings one")
    sys.exit(77)

began = time.monotonic()
with ThreadPoolExecutor(max_workers=max(2, len(os.sched_getaffinity(0)))) as pool:
    wrong = dict(zip(specs, pool.map(run_notebook, specs, specs.values()), strict=True))
own = {
    name for name, spec in specs.items() if spec["metadata"].get("dsvm", {}).get("kind") == "own"
}
if broken := [text for name, text in wrong.items() if text and name not in own]:
    sys.exit("; ".join(broken))
print(
    json.dumps(
        {
            "kernels": sorted(name for name, text in wrong.items() if not text),
            "your_kernels_not_working": sorted(name for name in own if wrong[name]),
            "ready_after_s": round(ready, 2),
            "notebooks_s": round(time.monotonic() - began, 2),
            "versions": {
                "jupyterlab": version("jupyterlab"),
                "jupyter-server": version("jupyter-server"),
            },
        }
    )
)
