"""Types into nano on a terminal: replaces a word, writes the file, leaves; the file is compared."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

WAIT_S = 8


def shown_until(screen: int, text: bytes) -> None:
    """Read the screen until it shows `text`."""
    seen = b""
    late = time.monotonic() + WAIT_S
    while text not in seen:
        if not select.select([screen], [], [], max(0.0, late - time.monotonic()))[0]:
            sys.exit(f"nano does not show `{text.decode()}` within {WAIT_S} s: {seen[-200:]!r}")
        try:
            seen += os.read(screen, 65536)
        except OSError:
            sys.exit(f"nano ended before it showed `{text.decode()}`: {seen[-200:]!r}")


note = Path("note")
note.write_text("one fish\ntwo fish\n")
screen, terminal = pty.openpty()
environment = {**os.environ, "TERM": "xterm", "LINES": "24", "COLUMNS": "80"}
nano = subprocess.Popen(
    ["nano", str(note)], stdin=terminal, stdout=terminal, stderr=terminal, env=environment
)
os.close(terminal)

shown_until(screen, b"two fish")
os.write(screen, b"\x1c")  # ^\: replace
shown_until(screen, b"Search (to replace)")
os.write(screen, b"fish\r")
shown_until(screen, b"Replace with")
os.write(screen, b"bird\r")
shown_until(screen, b"this instance?")
os.write(screen, b"A")
shown_until(screen, b"Replaced 2 occurrences")
os.write(screen, b"\x1b/three")  # M-/: last line
os.write(screen, b"\x0f")  # ^O: write out
time.sleep(0.3)
os.write(screen, b"\r")
late = time.monotonic() + WAIT_S
while "three" not in note.read_text() and time.monotonic() < late:
    time.sleep(0.05)
os.write(screen, b"\x18")  # ^X: exit
try:
    status = nano.wait(WAIT_S)
except subprocess.TimeoutExpired:
    nano.kill()
    status = None

text = note.read_text()
assert text == "one bird\ntwo bird\nthree\n", f"the file reads {text!r}"
assert status == 0, f"nano ended with status {status}"
told = subprocess.run(["nano", "--version"], capture_output=True, text=True, check=True).stdout
found = re.search(r"version ([\d.]+)", told)
print(json.dumps({"versions": {"nano": found.group(1) if found else "?"}}))
