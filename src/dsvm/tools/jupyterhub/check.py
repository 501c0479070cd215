"""Two people sign in, each in a server of their own; neither reads what belongs to the other."""

import json
import time
import urllib.request
from contextlib import closing
from importlib.metadata import version

import dsvm_check
import people
import websocket

dsvm_check.lives_in("jupyter")
NAMES = ("dsvm-check-a", "dsvm-check-b")
START_S = 120


def sign_in(person):
    """Open the address that the machine gives; once more it opens nothing."""
    address = person.address()
    person.get(address)
    _, status, text = people.Person(person.name).get(address)
    assert status == 403, f"an address that was used answers {status}: {text[-300:]}"


def start(person):
    """Until the person's own server answers; returns who it says it is for."""
    late = time.monotonic() + START_S
    person.get("/hub/spawn")
    while True:
        where, status, text = person.get(f"/user/{person.name}/lab")
        if status == 200 and where.startswith(f"/user/{person.name}/"):
            me = json.loads(person.get(f"/user/{person.name}/api/me")[2])
            return me["identity"]["username"]
        said = f"{where} answers {status}: {text[-300:]}"
        assert status != 403, f"{person.name} does not come into the own server: {said}"
        assert time.monotonic() < late, f"{person.name}'s server does not start: {said}"
        time.sleep(0.5)


def typed(person, line):
    """What a line says in a new terminal of the person's server."""
    home = f"/user/{person.name}/"
    request = urllib.request.Request(f"{people.BASE}{home}api/terminals", b"{}")
    request.add_header("X-XSRFToken", person.cookie("_xsrf", home))
    with person.opener.open(request, timeout=60) as reply:
        terminal = json.loads(reply.read())["name"]
    url = f"ws{people.BASE.removeprefix('http')}{home}terminals/websocket/{terminal}"
    cookies = "; ".join(
        f"{one.name}={one.value}" for one in person.jar if home.startswith(one.path)
    )
    with closing(
        websocket.create_connection(url, timeout=60, cookie=cookies, origin=people.BASE)
    ) as tty:
        tty.send(json.dumps(["stdin", f"echo; {line}; echo end $((6 * 7))\r"]))
        said = ""
        while "end 42" not in said:
            kind, *words = json.loads(tty.recv())
            said += words[0] if kind == "stdout" else ""
    return said


def looks(person, other, secret):
    """What the other has is closed to the person, in the page and below it."""
    _, status, text = person.get(f"/user/{other.name}/api/contents/secret.txt")
    assert secret not in text, f"{person.name} reads what belongs to {other.name} in a page"
    assert status in (403, 404), f"the other's server answers {person.name} with {status}"
    said = typed(person, f"cat /home/{other.name}/secret.txt")
    assert secret not in said, f"{person.name} reads what belongs to {other.name} in a terminal"
    assert "Permission denied" in said, f"in a terminal {person.name} is told {said!r}"


with people.accounts(*NAMES) as (first, second):
    secrets = {}
    for person in (first, second):
        secrets[person] = f"of {person.name}, {time.time_ns()}"
        person.keep("secret.txt", secrets[person])
    where, status, _ = first.get(f"/user/{first.name}/lab")
    assert where.startswith("/hub/login"), f"without an address it opens {where} ({status})"
    told = people.asked("nobody")
    assert told == "Nobody.\n", f"who is nobody's user is told {told!r}"
    began = time.perf_counter()
    for person in (first, second):
        sign_in(person)
        name = start(person)
        assert name == person.name, f"{person.name} is signed in as {name}"
    took = time.perf_counter() - began
    for person in (first, second):
        _, status, text = person.get(f"/user/{person.name}/api/contents/secret.txt")
        assert status == 200, f"{person.name}'s own file answers {status}: {text[-300:]}"
        assert json.loads(text)["content"].strip() == secrets[person], "it is another file"
        assert person.name in typed(person, "id --user --name").splitlines(), (
            "it runs as another user"
        )
    looks(first, second, secrets[second])
    looks(second, first, secrets[first])
dsvm_check.passed(people=len(NAMES), two_servers_s=round(took, 1),
                  versions={"jupyterhub": version("jupyterhub")})  # fmt: skip
