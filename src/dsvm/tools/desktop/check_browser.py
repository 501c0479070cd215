"""In a browser, signed in: the desktop is drawn, and a program typed there runs."""

import io
import os
import time
from pathlib import Path

import dsvm_browser
import dsvm_check
import numpy as np
import turn
from PIL import Image

dsvm_check.lives_in("browser")
WAIT_S = 60
told = Path.home() / f"dsvm-check-{os.getpid()}"


def colours(page):
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0))


def until(done, otherwise):
    late = time.monotonic() + WAIT_S
    while not done():
        if time.monotonic() > late:
            raise SystemExit(otherwise)
        time.sleep(0.5)


began = time.perf_counter()
way = "/dsvm-signin/{token}/vnc.html?autoconnect=true&resize=scale"
try:
    with dsvm_browser.page(dsvm_check.address("desktop", way)) as page:
        page.locator("html.noVNC_connected").wait_for(state="attached")
        until(lambda: colours(page) > 200, "the page shows no desktop")
        shown_s = time.perf_counter() - began
        with turn.taken():
            page.locator("#noVNC_container canvas").click()
            page.keyboard.press("Alt+F2")
            page.wait_for_timeout(3000)
            page.keyboard.type(f"xfce4-terminal -x sh -c 'id -un > {told}; sleep 5'\n")
            until(told.exists, "a program that was typed on the desktop did not run")
            page.wait_for_timeout(2000)
            seen = colours(page)
            page.screenshot(path="terminal.png")
            page.wait_for_timeout(5000)
    until(lambda: told.read_text() == "ds\n", f"it says {told.read_text()!r}")
finally:
    told.unlink(missing_ok=True)
dsvm_check.passed(shown_s=round(shown_s, 1), colours=seen)
