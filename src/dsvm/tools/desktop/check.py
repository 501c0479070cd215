"""A desktop is shown at its display; what is typed there starts a program, whose window appears."""

import os
import time
from pathlib import Path

import desktop
import dsvm_check
import rfb
import turn

dsvm_check.lives_in("desktop")
told = Path.home() / f"dsvm-check-{os.getpid()}"
began = time.perf_counter()
page = dsvm_check.Visit("desktop", "vnc.html").page
assert "<title>noVNC</title>" in page, f"its page begins {page[:200]!r}"
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
