"""What the checks of the desktop share: what a session must show, and a program started in it."""

import subprocess
import sys
import time

import dsvm_check
import numpy as np
from PIL import Image

PROGRAMS = ("xfce4-session", "xfwm4", "xfdesktop", "xfce4-panel")
COLOURS = 200
WAIT_S = 60


def until(done, late_s=WAIT_S):
    """Poll until it is true; whether it was in time."""
    late = time.monotonic() + late_s
    while not done():
        if time.monotonic() > late:
            return False
        time.sleep(0.5)
    return True


def runs(user, program):
    """Whether the user runs it; names are cut at 15 letters, proc(5)."""
    found = subprocess.run(["pgrep", "--uid", user, "--exact", program[:15]], capture_output=True)
    return found.returncode == 0


def shown(screen, user):
    """The picture once it is that of a desktop, all of whose programs run."""
    for program in PROGRAMS:
        if not until(lambda program=program: runs(user, program)):
            sys.exit(f"{program} is not part of the session")
    seen = []

    def complete():
        """It is no longer drawn at, and more than one colour."""
        seen.append(screen.picture())
        still = len(seen) > 1 and (seen[-1] == seen[-2]).all()
        return still and colours(seen[-1]) > COLOURS

    if not until(complete):
        save(seen[-1], "desktop.png")
        sys.exit(f"the screen shows {colours(seen[-1])} colours: that is no desktop")
    return seen[-1]


def run(screen, user, told):
    """Open a terminal as a person does, by Alt+F2 and its name; a line in it writes `told`."""
    screen.press("alt", "f2")
    if not until(lambda: runs(user, "xfce4-appfinder"), 20):
        sys.exit("Alt+F2 opens nothing")
    time.sleep(2)
    screen.type(f"xfce4-terminal -x sh -c 'id -un > {told}; sleep 5'\n")
    read = ["sudo", "-n", "cat", str(told)]

    def said():
        return subprocess.run(read, capture_output=True, text=True).stdout

    arrived = until(lambda: said().endswith("\n"), 40)
    who = said().strip()
    subprocess.run(["sudo", "-n", "rm", "-f", str(told)], check=True)
    if not arrived:
        save(screen.picture(), "desktop.png")
        sys.exit("a program that was typed on the desktop did not run")
    assert who == user, f"it ran as {who}, not as {user}"
    time.sleep(1)


def closed(user):
    """Wait until the terminal has gone."""
    assert until(lambda: not runs(user, "xfce4-terminal"), 30), "the terminal stays open"


def colours(picture):
    return len(np.unique(picture.reshape(-1, 3), axis=0))


def save(picture, name):
    """Into the report."""
    Image.fromarray(picture).save(name)


def passed(screen, picture, seconds):
    size = f"{screen.wide} x {screen.high}"
    version = dsvm_check.say(["dpkg-query", "--show", "--showformat=${Version}", "xfce4-session"])
    dsvm_check.passed(
        size=size,
        colours=colours(picture),
        shown_s=round(seconds, 1),
        versions={"xfce4-session": version},
    )
