"""An RDP client signs in with a password as a person of the machine, and sees a desktop."""

import os
import pwd
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import desktop
import dsvm_check
import rfb

dsvm_check.lives_in("desktop")
# An account of this check alone: nobody else gets a password.
NAME = "dsvm-check-rdp"
CLIENT = ":8"


def root(*words, told=None, check=True):
    done = subprocess.run(["sudo", "-n", *words], input=told, capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{words[0]} ended with status {done.returncode}: {done.stderr.strip()}")


@contextmanager
def person():
    """A name with a password, until the block ends."""
    remove()
    root("useradd", "--create-home", "--shell", "/bin/bash", "--key", "HOME_MODE=0700", NAME)
    password = secrets.token_urlsafe(12)
    root("chpasswd", told=f"{NAME}:{password}\n")
    try:
        yield password
    finally:
        remove()


def remove():
    """End all that runs of the account, then take it away."""
    with suppress(KeyError):
        uid = pwd.getpwnam(NAME).pw_uid
        root("systemctl", "stop", f"user-{uid}.slice", check=False)
        root("pkill", "--signal", "KILL", "--uid", NAME, check=False)
        root("systemctl", "reset-failed", f"user@{uid}.service", check=False)
    root("userdel", "--remove", "--force", NAME, check=False)


@contextmanager
def client(password):
    """A display of this check's own, with the client in it; its words are in client.log."""
    words = ["Xtigervnc", CLIENT, "-geometry", "1024x768", "-depth", "24", "-nolisten", "tcp"]
    words += ["-rfbport", "-1", "-rfbunixpath", "display.sock", "-rfbunixmode", "0600"]
    words += ["-SecurityTypes", "None", "-auth", "xauthority"]
    cookie = f'xauth -q -f xauthority add {CLIENT} . "$(mcookie)"'
    subprocess.run(["sh", "-c", cookie], check=True)
    env = {**os.environ, "DISPLAY": CLIENT, "XAUTHORITY": "xauthority", "HOME": str(Path.cwd())}
    asks = ["rdesktop", "-u", NAME, "-p", "-", "-g", "1024x768", "-a", "24", "127.0.0.1:3389"]
    with Path("client.log").open("w") as log:
        display = subprocess.Popen(words, stdout=log, stderr=log)
        assert desktop.until(Path("display.sock").exists, 20), "the client has no display"
        viewer = subprocess.Popen(
            asks, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True, env=env
        )
        viewer.stdin.write(f"{password}\nyes\n")
        viewer.stdin.flush()
        try:
            yield viewer
        finally:
            viewer.kill()
            viewer.wait()
            display.terminate()
            display.wait()


began = time.perf_counter()
with person() as password, client(password) as viewer:
    screen = rfb.Viewer("display.sock")
    if not desktop.until(lambda: desktop.runs(NAME, "xfce4-session") or viewer.poll() is not None):
        desktop.save(screen.picture(), "desktop.png")
    if viewer.poll() is not None:
        sys.exit(f"the client ended: {Path('client.log').read_text()[-700:]}")
    desktop.shown(screen, NAME)
    shown_s = time.perf_counter() - began
    desktop.run(screen, NAME, Path(f"/home/{NAME}/told"))
    picture = screen.picture()
    desktop.save(picture, "rdp.png")
    desktop.passed(screen, picture, shown_s)
