"""What Python checks of several tools need: `import dsvm_check`. Standard library only.

It travels with the checks into the machine and is on their path there; it is written for every
Python that an environment may have.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.cookiejar import CookieJar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ENVIRONMENTS = "/opt/dsvm/envs"
APPS = Path("/run/dsvm/apps")
# An app of the first use starts when it is asked.
APP_S = 120
_SAID = 1500


def lives_in(environment: str) -> None:
    """End the check unless its Python is that of the environment."""
    place = f"{ENVIRONMENTS}/{environment}"
    if sys.prefix != place:
        sys.exit(f"this is the Python of {sys.prefix}, not of {place}")


def app(name: str) -> tuple[str, str]:
    """An app of the machine: its address, and the token that opens it."""
    lines = (APPS / f"{name}.env").read_text(encoding="utf-8").splitlines()
    known = dict(line.split("=", 1) for line in lines)
    return f"http://127.0.0.1:{known['DSVM_PORT']}", known["DSVM_TOKEN"]


def address(name: str, path: str = "/dsvm-signin/{token}/") -> str:
    """Where an app of the machine opens signed in: by dsvm's gate, or by a `path` of its own."""
    base, token = app(name)
    return base + path.format(token=token)


class Visit:
    """An app of the machine as its person's browser gets it: signed in at dsvm's gate."""

    def __init__(self, name: str, path: str = "") -> None:
        self._base, token = app(name)
        self._opener = _opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.page = self.get(f"/dsvm-signin/{token}/{path}").decode()

    def get(self, path: str) -> bytes:
        """The body of a page or file; ends the check with the app's words when it refuses."""
        return _read(self._opener, urllib.request.Request(self._base + path), APP_S)


def passed(**measured: Any) -> None:
    """Print what was measured, as the last line of a check that passed."""
    print(json.dumps(measured))


def free_port() -> int:
    """A port of the loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(
    url: str,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    timeout_s: float = 30,
) -> bytes:
    """The body that a local server answers (POST with `data`).

    Ends the check with the server's own words when it answers with an error.
    """
    return _read(_opener(), urllib.request.Request(url, data, dict(headers or {})), timeout_s)


def fetch_json(url: str, body: object = None, **more: Any) -> Any:
    """The JSON that a local server answers; `body` is sent as JSON (POST)."""
    data = None if body is None else json.dumps(body).encode()
    return json.loads(fetch(url, data, {"Content-Type": "application/json"}, **more))


@contextmanager
def server(
    argv: Sequence[str], ready: str, *, within_s: float = 300, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; it begins once the URL `ready` answers 200.

    Ends the check with the end of what the server said (`server.log`) when it ends before that,
    or does not answer in time.
    """
    log = Path("server.log")
    with log.open("wb") as said:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, **(env or {})},
        )
    try:
        _wait(process, ready, within_s, log)
        yield process
    finally:
        # What it started itself ends with the check: verify kills the whole process group.
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], ready: str, within_s: float, log: Path) -> None:
    late = time.monotonic() + within_s
    while True:
        try:
            with _opener().open(ready, timeout=5):
                return
        except (OSError, http.client.HTTPException) as silent:
            said = log.read_text(errors="replace").strip()[-_SAID:]
            if process.poll() is not None:
                sys.exit(f"the server ended with status {process.returncode}: {said}")
            if time.monotonic() > late:
                sys.exit(f"{ready} does not answer ({silent}); the server said: {said}")
        time.sleep(0.1)


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve HTTP by `handler` on the loopback until the block ends; yields the base URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_address[1]}"
        finally:
            serving.shutdown()
            thread.join()


def say(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, timeout_s: float = 120
) -> str:
    """What a program prints. Ends the check with its own words when it fails."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(env or {})},
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-_SAID:]
        sys.exit(f"{Path(argv[0]).name} ended with status {done.returncode}: {said}")
    return done.stdout


def _read(
    opener: urllib.request.OpenerDirector, request: urllib.request.Request, timeout_s: float
) -> bytes:
    try:
        with opener.open(request, timeout=timeout_s) as reply:
            body: bytes = reply.read()
            return body
    except urllib.error.HTTPError as refused:
        said = refused.read().decode(errors="replace")[-_SAID:]
        sys.exit(f"{request.full_url} answers {refused.code}: {said}")


def _opener(*handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    """Local servers are asked directly, whatever proxy the machine has."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)
