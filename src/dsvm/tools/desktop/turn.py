"""Whose turn it is on the owner's desktop: one check's at a time, and none's while it is in use."""

import fcntl
import sys
from contextlib import contextmanager
from pathlib import Path

import dsvm_check

DISPLAY = {"DISPLAY": ":7", "XAUTHORITY": "/run/desktop/xauthority"}
LOCK = Path("/var/tmp/dsvm-check-desktop.lock")
# The session itself, with the finder, which waits without a window; others were opened by a person.
PARTS = {
    *("xfce4-session", "xfwm4", "xfsettingsd", "xfce4-panel", "xfdesktop", "Thunar", "thunar"),
    *("wrapper-2.0", "xfce4-appfinder", "xfce4-notifyd"),
}


@contextmanager
def taken():
    """Until the block ends it may type. Not tested where a person's windows would get the keys."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = dsvm_check.say(["xlsclients"], env=DISPLAY).splitlines()
        if others := sorted({line.split()[1] for line in lines} - PARTS):
            print(f"in use: {', '.join(others)} on the desktop would get what a check types")
            sys.exit(77)
        yield
