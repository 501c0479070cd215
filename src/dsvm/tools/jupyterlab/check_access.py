"""JupyterLab opens with its token and without a cookie; without the token nothing opens."""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import dsvm_check

READY_S = 20
LAB, TOKEN = dsvm_check.app("jupyterlab")


class Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are an answer here, not a way."""

    def redirect_request(self, *_args: object) -> None:
        return None


OPENER = urllib.request.build_opener(Stay, urllib.request.ProxyHandler({}))


def status(path: str) -> int:
    """It may have been started just now, so it is given some time."""
    late = time.monotonic() + READY_S
    while True:
        try:
            with OPENER.open(LAB + path, timeout=20) as page:
                return page.status
        except urllib.error.HTTPError as answer:
            return answer.code
        except OSError as down:
            if time.monotonic() > late:
                sys.exit(f"jupyterlab does not answer: {down}")
            time.sleep(0.2)


seen = {
    "with the token": status(f"/lab?token={TOKEN}"),
    "without": status("/lab"),
    "api without": status("/api/contents"),
    "with another token": status("/api/contents?token=" + "0" * len(TOKEN)),
}
if seen["with the token"] != 200:
    sys.exit(f"/lab with the token answers {seen['with the token']}")
if seen["without"] != 302 or seen["api without"] != 403 or seen["with another token"] != 403:
    sys.exit(f"it opens without its token: {seen}")
for process in Path("/proc").glob("[0-9]*/cmdline"):
    try:
        words = process.read_bytes()
    except OSError:
        continue
    if TOKEN.encode() in words and int(process.parent.name) != os.getpid():
        sys.exit(f"the token stands in the arguments of process {process.parent.name}")
print(json.dumps({"statuses": seen}))
