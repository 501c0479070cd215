"""Tells its version; lists data sets of a local service that knows who asks, and for what."""

import base64
import csv
import json
import sys
from http.server import BaseHTTPRequestHandler
from importlib.metadata import version
from pathlib import Path

import dsvm_check

dsvm_check.lives_in("cli")
USER, SECRET = "ada", "made-for-this-check"
DATASETS = [
    {"ref": "ada/rain", "title": "Rain in Oslo", "totalBytes": 1024, "downloadCount": 7},
    {"ref": "ada/snow", "title": "Snow in Oslo", "totalBytes": 2048, "downloadCount": 9},
]
asked = []


class Kaggle(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        login = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {login}":
            self.answer(401, {"code": 401, "message": "unknown user"})
            return
        asked.append(self.path.rpartition("/")[2])
        found = [one for one in DATASETS if wanted["search"] in one["ref"]]
        self.answer(200, {"datasets": found})

    def answer(self, status, document):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *told):
        pass


def kaggle(*words, **env):
    folder = {"KAGGLE_CONFIG_DIR": str(Path.cwd())}
    login = {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": SECRET}
    return dsvm_check.say([f"{sys.prefix}/bin/kaggle", *words], env=folder | login | env)


def listed(address, *words):
    """What `kaggle datasets list` prints of the service at `address`.

    The address of its local service is fixed (http://localhost), so this one stands there as the
    proxy that leads to it.
    """
    way = dict.fromkeys(("HTTP_PROXY", "http_proxy"), address) | dict.fromkeys(
        ("NO_PROXY", "no_proxy"), ""
    )
    said = kaggle("datasets", "list", "--csv", *words, KAGGLE_API_ENVIRONMENT="LOCALHOST", **way)
    rows = csv.DictReader(line for line in said.splitlines() if "," in line)
    return [(row["ref"], row["title"]) for row in rows]


there = kaggle("--version").split()[-1]
assert there == version("kaggle"), f"kaggle is {there}, the package {version('kaggle')}"
with dsvm_check.answering(Kaggle) as address:
    every, some = listed(address), listed(address, "--search", "snow")
known = [(one["ref"], one["title"]) for one in DATASETS]
assert every == known, f"it lists {every}, the service has {known}"
assert some == known[1:], f"searched for snow it lists {some}"
assert asked == ["ListDatasets"] * 2, f"the service was asked for {asked}"
dsvm_check.passed(datasets=len(every), versions={"kaggle": there})
