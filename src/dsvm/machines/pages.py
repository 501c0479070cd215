"""The web pages of a machine's apps, opened signed in from the host's loopback."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dsvm.errors import DsvmError, UsageError
from dsvm.machines.machine import Machine
from dsvm.machines.parts import engine_machine, engine_of

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
