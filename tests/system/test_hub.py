"""JupyterHub as the people of one machine use it: by an SSH key, through a tunnel, each alone."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dsvm.home import Home
from dsvm.machines.machine import Machine
from dsvm.machines.state import Machines
from tests.system.persons import Person, make_key, public_key, user
from tests.system.typed import Dsvm

NAME = "hub"
INSIDE = 8894
ENVIRONMENT = "/opt/dsvm/envs/jupyter"
ASK = "curl -s --unix-socket /run/jupyterhub.sock http://hub/"
START_S = 120


@dataclass(frozen=True)
class Hub:
    """The machine, the folder of its definition, and its people's keys."""

    home: Home
    dsvm: Dsvm
    folder: Path
    keys: Path

    @property
    def machine(self) -> Machine:
        return Machines(self.home).get(NAME)

    def define(self, *users: str) -> None:
        lines = [f'name = "{NAME}"', 'profile = ""', 'tools = ["jupyterhub"]']
        lines += ["[size]", "cpus = 2", 'memory = "3G"']
        lines += [user(name, public_key(self.keys / name)) for name in users]
        (self.folder / "dsvm.toml").write_text("\n".join(lines) + "\n")
        done = self.dsvm("up", "--yes", cwd=self.folder, timeout_s=1800)
        assert done.returncode == 0, done.stdout + done.stderr

    def person(self, name: str) -> Person:
        return Person(self.machine, name, self.keys / name)

    def type(self, name: str, script: str) -> str:
        return self.person(name).type(script).stdout.strip()

    @contextmanager
    def browser(self, name: str) -> Iterator[httpx.Client]:
        """Through a tunnel of the user's own, with the cookies of a new browser."""
        port = free_port()
        way = f"127.0.0.1:{port}:127.0.0.1:{INSIDE}"
        tunnel = subprocess.Popen(self.person(name).ssh("-N", "-L", way))
        base = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(
                base_url=base, trust_env=False, timeout=60, follow_redirects=True
            ) as client:
                yield client
        finally:
            tunnel.terminate()
            tunnel.wait()

    def signed_in(self, name: str, client: httpx.Client) -> None:
        """Until the user's own server is there."""
        address = self.type(name, ASK)
        way = address.removeprefix(f"http://127.0.0.1:{INSIDE}")
        assert way.startswith("/hub/sign-in?token="), address
        eventually(client, way, "/")
        client.get("/hub/spawn")
        eventually(client, f"/user/{name}/lab", f"/user/{name}/lab")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(client: httpx.Client, way: str, leads: str) -> None:
    """Get it, as soon as the tunnel is open and the server is there, and not a page that waits."""
    late = time.monotonic() + START_S
    said = "nothing"
    while time.monotonic() < late:
        try:
            answer = client.get(way)
            path = answer.url.path
            if answer.status_code == 200 and path.startswith(leads) and path != "/hub/login":
                return
            said = f"{answer.status_code} at {path}"
        except httpx.TransportError as closed:
            said = str(closed)
        time.sleep(0.5)
    pytest.fail(f"{way} gives {said}")


@pytest.fixture(scope="module")
def hub(home: Home, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder, keys = home.root / "definitions" / NAME, tmp_path_factory.mktemp("keys")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("ada", "bob"):
        make_key(keys / name)
    dsvm("rm", NAME, "--yes")
    found = Hub(home, dsvm, folder, keys)
    found.define("ada", "bob")
    yield found
    dsvm("rm", NAME, "--yes")


def test_a_user_signs_in_by_the_ssh_key_into_the_own_files_and_environments(hub: Hub) -> None:
    hub.type("ada", f"echo hers > ~/hers; echo hers > {ENVIRONMENT}/lib/hers")
    hub.type("ada", f"ln -sfn {ENVIRONMENT}/lib ~/seen")
    hub.type("bob", f"ln -sfn {ENVIRONMENT}/lib ~/seen")
    with hub.browser("ada") as ada, hub.browser("bob") as bob:
        hub.signed_in("ada", ada)
        hub.signed_in("bob", bob)

        assert ada.get("/user/ada/api/contents/hers").json()["content"] == "hers\n"
        assert ada.get("/user/ada/api/contents/seen/hers").json()["content"] == "hers\n"
        assert bob.get("/user/bob/api/contents/seen/hers").status_code == 404
        assert bob.get("/user/ada/api/contents/hers").status_code in (403, 404)
    assert hub.type("ada", "pgrep -u ada -fc jupyterhub-singleuser") == "1"


def test_the_owner_opens_it_as_every_app(hub: Hub) -> None:
    url = hub.dsvm("open", NAME, "jupyterhub").stdout.strip()
    with httpx.Client(trust_env=False, timeout=60, follow_redirects=True) as owner:
        first = owner.get(url)
        again = httpx.get(url.partition("?")[0] + "?token=0", trust_env=False, timeout=60)

    assert first.url.path.startswith(("/hub/spawn", "/user/ds/"))
    assert again.status_code == 403
    token = hub.machine.record.tokens["jupyterhub"]
    log = hub.machine.ssh.run(["sudo", "-n", "journalctl", "-u", "jupyterhub"]).stdout
    assert token not in log


def test_who_is_taken_out_of_the_definition_is_out_of_the_hub(hub: Hub) -> None:
    with hub.browser("bob") as bob:
        hub.signed_in("bob", bob)
        cookies = bob.cookies
    hub.define("ada")

    # The tunnel went with its user; what is left of the sign-in are the cookies.
    with hub.browser("ada") as other:
        other.cookies = cookies
        late = time.monotonic() + START_S
        while not refused(other, "/user/bob/api/contents"):
            assert time.monotonic() < late, "the server of who is gone goes on"
            time.sleep(1)
    assert hub.machine.ssh.run(["pgrep", "-u", "bob"], check=False).stdout == ""


def refused(client: httpx.Client, way: str) -> bool:
    """Whether an answer came, and was none."""
    try:
        return client.get(way).status_code != httpx.codes.OK
    except httpx.TransportError:  # the tunnel is not open yet
        return False
