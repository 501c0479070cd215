"""A desktop is shown at its display; what is typed there starts a program, whose window appears."""

import os
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import desktop
import dsvm_check
import rfb
import turn

dsvm_check.lives_in("desktop")
told = Path.home() / f"dsvm-check-{os.getpid()}"
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
)
began = time.perf_counter()
with opener.open(
    dsvm_check.address("desktop", "/dsvm-signin/{token}/vnc.html"), timeout=120
) as page:
    text = page.read().decode()
assert "<title>noVNC</title>" in text, f"its page begins {text[:200]!r}"
screen = rfb.Viewer("/run/desktop/display.sock")
before = desktop.shown(screen, "ds")
shown_s = time.perf_counter() - began
with turn.taken():
    desktop.run(screen, "ds", told)
    after = screen.picture()
    desktop.closed("ds")
desktop.save(after, "desktop.png")
changed = (before != after).any(axis=2).mean()
assert changed > 0.05, f"of the screen {changed:.1%} changed when a window opened"
desktop.passed(screen, after, shown_s)
