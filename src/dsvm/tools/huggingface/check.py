"""Tells its version; downloads a private repository from a local hub, every file by its digest.

https://huggingface.co/docs/hub/api
"""

import hashlib
import json
import os
import sys
from http.server import BaseHTTPRequestHandler
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dsvm_check

dsvm_check.lives_in("cli")
TOKEN, COMMIT, REPOSITORY = "hf_made_for_this_check", "c0ffee" * 6 + "c0de", "ada/tiny"
FILES = {"config.json": b'{"layers": 1}', "weights/model.bin": os.urandom(200_000)}
fetched = []


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        # A tool that other programs ask for is looked up there, too, without a token.
        if not path.startswith((f"/api/models/{REPOSITORY}", f"/{REPOSITORY}/resolve/")):
            self.answer(404, b"")
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, b'{"error": "who are you?"}')
        elif path.startswith("/api/"):
            self.answer(200, json.dumps(self.about(path)).encode())
        else:
            name = path.partition("/resolve/")[2].partition("/")[2]
            fetched.append(name)
            self.answer(200, FILES[name])

    def do_HEAD(self):
        self.do_GET()

    def about(self, path):
        if "/tree/" in path:
            return [
                {"type": "file", "path": name, "size": len(data), "oid": sha(data)}
                for name, data in FILES.items()
            ]
        siblings = [{"rfilename": name} for name in FILES]
        return {"id": REPOSITORY, "sha": COMMIT, "private": True, "siblings": siblings}

    def answer(self, status, data):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{sha(data)}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *told):
        pass


def sha(data):
    return hashlib.sha1(data).hexdigest()


def hf(*words, **env):
    home = {"HF_HOME": str(Path.cwd() / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    return dsvm_check.say(
        [f"{sys.prefix}/bin/hf", *words], env={**home, "NO_PROXY": "127.0.0.1", **env}
    )


there = hf("version").split()[-1]
wanted = version("huggingface-hub")
assert there == wanted, f"hf is {there}, the package {wanted}"
with dsvm_check.answering(Hub) as address:
    where = {"HF_ENDPOINT": address, "HF_TOKEN": TOKEN}
    hf("download", REPOSITORY, "--local-dir", "tiny", **where)
here = {
    str(path.relative_to("tiny")): path.read_bytes()
    for path in Path("tiny").rglob("*")
    if path.is_file() and ".cache" not in path.parts
}
assert here.keys() == FILES.keys(), f"it fetched {sorted(here)}, the hub has {sorted(FILES)}"
assert here == FILES, "a file came back with other bytes"
dsvm_check.passed(files=len(here), versions={"huggingface-hub": there})
