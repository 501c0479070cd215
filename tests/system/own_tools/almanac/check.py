"""The almanac says which year is a leap year, to who has its token and to nobody else."""

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ENV = Path("/run/dsvm/apps/almanac.env").read_text()
SETTINGS = dict(line.split("=", 1) for line in ENV.splitlines())
PAGE = f"http://127.0.0.1:{SETTINGS['DSVM_PORT']}"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
READY_S = 6


def ask(path: str) -> tuple[int, str]:
    """It may have been started just now, so it is given some time."""
    late = time.monotonic() + READY_S
    while True:
        try:
            with OPENER.open(PAGE + path, timeout=10) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, ""
        except OSError as down:
            if time.monotonic() > late:
                sys.exit(f"almanac.service does not answer: {down}")
            time.sleep(0.2)


told = ask(f"/2000?token={SETTINGS['DSVM_TOKEN']}")
if told != (200, "2000 is a leap year"):
    sys.exit(f"the almanac says {told}")
if ask("/2000")[0] != 403:
    sys.exit("the almanac opens without its token")
print(json.dumps({"answer": told[1]}))
