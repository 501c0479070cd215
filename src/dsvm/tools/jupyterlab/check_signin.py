"""The address with the token opens JupyterLab without a cookie; without it nothing opens."""

import http.client
import json
import sys
import time
from pathlib import Path

SETTINGS = Path("/run/dsvm/apps/jupyterlab.env")
READY_S = 40
settings = dict(line.split("=", 1) for line in SETTINGS.read_text().splitlines() if "=" in line)
port, token = int(settings["DSVM_PORT"]), settings["DSVM_TOKEN"]


def get(path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.getheader("Location", ""), reply.read().decode(errors="replace")
    finally:
        connection.close()


def wait_until_ready():
    began = time.monotonic()
    while True:
        try:
            return get("/api")
        except OSError as silent:
            if time.monotonic() - began > READY_S:
                sys.exit(f"jupyterlab.service does not answer at 127.0.0.1:{port}: {silent}")
            time.sleep(0.2)


wait_until_ready()
status, _, page = get(f"/lab?token={token}")
assert status == 200 and "jupyter-config-data" in page, f"/lab with its token answers {status}"

status, where, _ = get("/lab")
assert status == 302 and "/login" in where, f"/lab without a token answers {status} {where}"
for path in ("/api/contents", "/api/kernels", "/api/terminals", "/api/status"):
    status, _, _ = get(path)
    assert status == 403, f"{path} without a token answers {status}, not 403"
status, _, _ = get("/api/contents?token=wrong")
assert status == 403, f"/api/contents with a wrong token answers {status}, not 403"

for process in Path("/proc").glob("[0-9]*/cmdline"):
    try:
        words = process.read_bytes()
    except OSError:
        continue
    assert token.encode() not in words, f"process {process.parent.name} shows the token"
print(json.dumps({"paths_refused": 6}))
