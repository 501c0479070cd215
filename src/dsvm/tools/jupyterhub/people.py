"""People of a machine for the checks of the hub: an account each, and that person's browser."""

import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.cookiejar import CookieJar

import dsvm_check

BASE, _TOKEN = dsvm_check.app("jupyterhub")
_ASK = ("curl", "-s", "--unix-socket", "/run/jupyterhub.sock", "http://hub/")


def root(*words, told="", check=True):
    """What a program says that root runs, and that is `told` something."""
    argv = ["sudo", "-n", *words]
    done = subprocess.run(argv, input=told, capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit(f"{words[0]} ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def asked(name):
    """What the machine tells an account that asks for its address."""
    return root("-u", name, *_ASK)


class Person:
    """An account of the machine, and that person's browser."""

    def __init__(self, name):
        self.name = name
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar)
        )

    def get(self, url):
        """Where it led, its status, its text."""
        url = url if url.startswith("http") else BASE + url
        try:
            with self.opener.open(url, timeout=60) as reply:
                return reply.url.removeprefix(BASE), reply.status, reply.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.url.removeprefix(BASE), refused.code, refused.read().decode()

    def delete(self, path):
        """As an owner does; who is not there need not go."""
        headers = {"X-XSRFToken": self.cookie("_xsrf", "/hub/")}
        request = urllib.request.Request(BASE + path, headers=headers, method="DELETE")
        try:
            self.opener.open(request, timeout=60).close()
        except urllib.error.HTTPError as refused:
            said = refused.read().decode()[-300:]
            if refused.code != 404:
                sys.exit(f"the owner's {path} answers {refused.code}: {said}")

    def address(self):
        """The address that the machine gives, which signs in once."""
        told = asked(self.name).strip()
        assert told.startswith(f"{BASE}/hub/sign-in?token="), f"{self.name} is told {told!r}"
        return told

    def cookie(self, name, path):
        return next((one.value for one in self.jar if (one.name, one.path) == (name, path)), "")

    def keep(self, name, text):
        """A file in the person's home, by the person's own hand."""
        root("-u", self.name, "tee", f"/home/{self.name}/{name}", told=text)


@contextmanager
def accounts(*names):
    """Accounts of a check alone, as the people of a definition have them; they end with it."""
    _remove(names)
    try:
        for name in names:
            root("useradd", "--create-home", "--groups", "dsvm-users", "--key", "HOME_MODE=0700",
                 "--shell", "/bin/bash", name)  # fmt: skip
        yield [Person(name) for name in names]
    finally:
        _remove(names)


def _remove(names):
    """The owner ends their servers and forgets them; then their accounts go."""
    owner = Person("ds")
    owner.get(f"/hub/sign-in?token={_TOKEN}&next=/hub/home")
    for name in names:
        owner.delete(f"/hub/api/users/{name}")
        root("pkill", "--signal", "KILL", "--uid", name, check=False)
        root("userdel", "--remove", name, check=False)
