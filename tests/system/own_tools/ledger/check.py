"""Each of the three services answers who uses it: the page, the tally, the database."""

import json
import socket
import sys
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

OPENER = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
)


def spoken(place: tuple[str, int] | str, words: bytes) -> bytes:
    family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as line:
        line.settimeout(20)
        line.connect(place)
        line.sendall(words)
        return line.recv(64)


lines = Path("/run/dsvm/apps/ledger.env").read_text().splitlines()
token = dict(line.split("=", 1) for line in lines)["DSVM_TOKEN"]
page = OPENER.open(f"http://127.0.0.1:8733/dsvm-signin/{token}/ready", timeout=20).read()
if page != b"ready":
    sys.exit(f"the ledger says {page!r}")
first, second = (int(spoken(("127.0.0.1", 8734), b"next\n")) for _ in range(2))
if second != first + 1:
    sys.exit(f"the tally went from {first} to {second}")
if (said := spoken(("127.0.0.1", 16379), b"SET entry 42\r\n")) != b"+OK\r\n":
    sys.exit(f"the database says {said!r}")
if (said := spoken("/run/ledger.sock", b"GET entry\r\n")) != b"$2\r\n42\r\n":
    sys.exit(f"the database lost its entry and says {said!r}")
print(json.dumps({"tally": second}))
