"""The web pages of a machine's apps, opened signed in from the host's loopback."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dsvm.definition import find, read_name
from dsvm.errors import DsvmError, UsageError
from dsvm.machines.machine import Machine
from dsvm.machines.naming import resolve
from dsvm.machines.parts import engine_machine, engine_of
from dsvm.machines.state import Machines

LAB = "jupyterlab"
APP_S = 60.0
APP_POLL_S = 0.1


@dataclass(frozen=True)
class Page:
    """An app's page on the host's loopback: `url` signs in, `ready` answers once it works."""

    app: str
    url: str
    ready: str


def pages(machine: Machine) -> dict[str, Page]:
    """The pages of all apps, by name."""
    found = {}
    for app, port in machine.record.apps.items():
        page, root = machine.record.pages[app], f"http://127.0.0.1:{port}"
        token = machine.record.tokens[app]
        path, ready = (text.replace("{token}", token) for text in (page.path, page.ready))
        found[app] = Page(app, root + path, root + ready)
    return found


def app_meant(
    machines: Machines, name: str | None, app: str | None, folder: Path
) -> tuple[Machine, str | None]:
    """The machine and the app of `dsvm open [NAME] [APP]`, called in `folder`.

    A single word that is no machine's name is an app of the machine that `dsvm.toml` in `folder`
    or above defines. Raises `UsageError` when it is neither, `NoSuchMachine`.
    """
    definition = find(folder)
    if name is not None and app is None and definition and machines.find(name) is None:
        here = machines.get(read_name(definition))
        if name not in here.record.apps:
            known = ", ".join(here.record.apps) or "none"
            raise UsageError(
                f"`{name}` is neither a machine nor an app of `{here.name}`",
                remedy=f"its apps: {known}; `dsvm ls` lists the machines",
            )
        return here, name
    return machines.get(resolve(name, folder)), app


def open_app(machine: Machine, app: str | None = None, *, timeout_s: float = APP_S) -> str:
    """The address that opens the app signed in, once it answers there.

    Without a name it is the machine's first app. Raises `UsageError` when there is none of that
    name, `DsvmError` when it does not answer within `timeout_s` seconds.
    """
    known = pages(machine)
    if not known:
        raise UsageError(
            f"machine `{machine.name}` has no app to open",
            remedy="`dsvm add jupyterlab` gives it one",
        )
    page = known.get(app or next(iter(known)))
    if page is None:
        raise UsageError(
            f"machine `{machine.name}` has no app `{app}`", remedy=f"it has: {', '.join(known)}"
        )
    _wait_for(machine, page, timeout_s)
    return page.url


def open_notebook(machine: Machine, path: str) -> str:
    """The address that opens a notebook of the login's home in JupyterLab, signed in.

    Raises as `open_app` does.
    """
    address = open_app(machine, LAB)
    return address.replace("/lab?", f"/lab/tree/{quote(path)}?", 1)


def _wait_for(machine: Machine, page: Page, timeout_s: float) -> None:
    import httpx  # only for who waits: it takes longer to load than all else here

    deadline = time.monotonic() + timeout_s
    last = "nothing answered"
    # Never through a proxy: the page is on this host.
    with httpx.Client(trust_env=False, timeout=5, follow_redirects=True) as client:
        while time.monotonic() < deadline:
            try:
                answer = client.get(page.ready)
                if answer.status_code == httpx.codes.OK:
                    return
                last = f"it answered {answer.status_code}"
            except httpx.HTTPError as failed:
                last = str(failed) or type(failed).__name__
            if engine_of(machine).running(engine_machine(machine)) is None:
                raise DsvmError(
                    f"machine `{machine.name}` is stopped", remedy=f"`dsvm start {machine.name}`"
                )
            time.sleep(APP_POLL_S)
    raise DsvmError(
        f"{page.app} does not answer on machine `{machine.name}`",
        cause=f"{last} within {timeout_s:.0f} s",
        remedy=f"`dsvm run {machine.name} -- journalctl -u {page.app}` shows why",
    )
