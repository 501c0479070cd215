"""Two people sign in, each in a server of their own; neither reads what belongs to the other."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from http.cookiejar import CookieJar
from importlib.metadata import version

import dsvm_check
import websocket

dsvm_check.lives_in("jupyter")
# Accounts of this check alone, as the people of a definition have them.
NAMES = ("dsvm-check-a", "dsvm-check-b")
START_S = 120
base, token = dsvm_check.app("jupyterhub")


def root(*words, check=True):
    done = subprocess.run(["sudo", "-n", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit(f"{words[0]} ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


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
        url = url if url.startswith("http") else base + url
        try:
            with self.opener.open(url, timeout=60) as reply:
                return reply.url.removeprefix(base), reply.status, reply.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.url.removeprefix(base), refused.code, refused.read().decode()

    def delete(self, path):
        """As an owner does; who is not there need not go."""
        headers = {"X-XSRFToken": self.cookie("_xsrf", "/hub/")}
        request = urllib.request.Request(base + path, headers=headers, method="DELETE")
        try:
            self.opener.open(request, timeout=60).close()
        except urllib.error.HTTPError as refused:
            said = refused.read().decode()[-300:]
            if refused.code != 404:
                sys.exit(f"the owner's {path} answers {refused.code}: {said}")

    def sign_in(self):
        """Ask the machine for an address, and open it; once more it opens nothing."""
        ask = ("curl", "-s", "--unix-socket", "/run/jupyterhub.sock", "http://hub/")
        address = root("-u", self.name, *ask).strip()
        assert address.startswith(f"{base}/hub/sign-in?token="), f"{self.name} is told {address!r}"
        self.get(address)
        _, status, text = Person(self.name).get(address)
        assert status == 403, f"an address that was used answers {status}: {text[-300:]}"

    def start(self):
        """Until the person's own server answers; returns who it says it is for."""
        late = time.monotonic() + START_S
        self.get("/hub/spawn")
        while True:
            where, status, text = self.get(f"/user/{self.name}/lab")
            if status == 200 and where.startswith(f"/user/{self.name}/"):
                return json.loads(self.get(f"/user/{self.name}/api/me")[2])["identity"]["username"]
            said = f"{where} answers {status}: {text[-300:]}"
            assert status != 403, f"{self.name} does not come into the own server: {said}"
            assert time.monotonic() < late, f"{self.name}'s server does not start: {said}"
            time.sleep(0.5)

    def type(self, line):
        """What a line says in a new terminal of the person's server."""
        home = f"/user/{self.name}/"
        request = urllib.request.Request(f"{base}{home}api/terminals", b"{}")
        request.add_header("X-XSRFToken", self.cookie("_xsrf", home))
        with self.opener.open(request, timeout=60) as reply:
            terminal = json.loads(reply.read())["name"]
        url = f"ws{base.removeprefix('http')}{home}terminals/websocket/{terminal}"
        cookies = "; ".join(
            f"{one.name}={one.value}" for one in self.jar if home.startswith(one.path)
        )
        with closing(
            websocket.create_connection(url, timeout=60, cookie=cookies, origin=base)
        ) as tty:
            tty.send(json.dumps(["stdin", f"echo; {line}; echo end $((6 * 7))\r"]))
            said = ""
            while "end 42" not in said:
                kind, *words = json.loads(tty.recv())
                said += words[0] if kind == "stdout" else ""
        return said

    def cookie(self, name, path):
        return next((one.value for one in self.jar if (one.name, one.path) == (name, path)), "")


def remove():
    """The owner ends their servers and forgets them; then their accounts go."""
    owner = Person("ds")
    owner.get(f"/hub/sign-in?token={token}&next=/hub/home")
    for name in NAMES:
        owner.delete(f"/hub/api/users/{name}")
        root("pkill", "--signal", "KILL", "--uid", name, check=False)
        root("userdel", "--remove", name, check=False)


def looks(person, other, secret):
    """What the other has is closed to the person, in the page and below it."""
    _, status, text = person.get(f"/user/{other.name}/api/contents/secret.txt")
    assert secret not in text, f"{person.name} reads what belongs to {other.name} in a page"
    assert status in (403, 404), f"the other's server answers {person.name} with {status}"
    said = person.type(f"cat /home/{other.name}/secret.txt")
    assert secret not in said, f"{person.name} reads what belongs to {other.name} in a terminal"
    assert "Permission denied" in said, f"in a terminal {person.name} is told {said!r}"


remove()
people = [Person(name) for name in NAMES]
try:
    secrets = {}
    for person in people:
        root("useradd", "--create-home", "--groups", "dsvm-users", "--key", "HOME_MODE=0700",
             "--shell", "/bin/bash", person.name)  # fmt: skip
        secrets[person.name] = f"of {person.name}, {time.time_ns()}"
        write = f"echo '{secrets[person.name]}' > ~/secret.txt"
        root("-u", person.name, "--login", "sh", "-c", write)
    where, status, _ = people[0].get(f"/user/{NAMES[0]}/lab")
    assert where.startswith("/hub/login"), f"without an address it opens {where} ({status})"
    root_said = root(
        "-u", "nobody", "curl", "-s", "--unix-socket", "/run/jupyterhub.sock", "http://h/"
    )
    assert root_said == "Nobody.\n", f"who is nobody's user is told {root_said!r}"
    began = time.perf_counter()
    for person in people:
        person.sign_in()
        name = person.start()
        assert name == person.name, f"{person.name} is signed in as {name}"
    took = time.perf_counter() - began
    for person in people:
        _, status, text = person.get(f"/user/{person.name}/api/contents/secret.txt")
        assert status == 200, f"{person.name}'s own file answers {status}: {text[-300:]}"
        assert json.loads(text)["content"].strip() == secrets[person.name], "it is another file"
        assert person.name in person.type("id --user --name").splitlines(), (
            "it runs as another user"
        )
    looks(people[0], people[1], secrets[NAMES[1]])
    looks(people[1], people[0], secrets[NAMES[0]])
finally:
    remove()
dsvm_check.passed(people=len(people), two_servers_s=round(took, 1),
                  versions={"jupyterhub": version("jupyterhub")})  # fmt: skip
