"""What the host tells a machine at each start: the seed. Standard library only.

The host writes it as `seed.json` into the machine's seed folder (mode 0600); the guest sees it at
/run/dsvm/seed/seed.json, readable by root only. Secrets (host key, app tokens, inherited
credentials) travel only here, never in a layer or an image.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class SeedLayer(TypedDict):
    """An EROFS layer the machine must find at /run/dsvm/layers/<digest>, or fail loudly."""

    digest: str
    bytes: int


class SeedEnvironment(TypedDict):
    """`mountpoint` is /opt/dsvm/envs/<name>; `variants` maps `cpu`/`nvidia` to its layer.

    `cuda`: the CUDA that the build for `nvidia` needs, as in `13.0`.
    In `display_name` the guest puts the Python version of the variant it mounts for `{python}`.
    """

    name: str
    python: str
    mountpoint: str
    variants: dict[str, SeedLayer]
    kernel: bool
    display_name: str
    cuda: NotRequired[str]


class SeedTree(TypedDict):
    """A layer mounted as it is, read-only: an interpreter or an app.

    `commands`: name -> program in it (relative), which the machine has in /usr/local/bin.
    """

    mountpoint: str
    layer: SeedLayer
    commands: NotRequired[dict[str, str]]


class SeedKernel(TypedDict):
    """`programs`: name -> text of what lies beside its spec."""

    name: str
    display_name: str
    language: str
    argv: list[str]
    programs: NotRequired[dict[str, str]]


class SeedApp(TypedDict):
    """`backend`: the port at which its service listens behind the proxy of its first use."""

    name: str
    port: int
    token: str
    backend: NotRequired[int]


class SeedUnit(TypedDict):
    """A systemd unit: full file name and text.

    `of_os`: an OS package has it, there is no text; without `enable` it is kept from starting at
    boot. `idle`: it stops when no other unit needs it.
    """

    name: str
    text: str
    enable: bool
    of_os: NotRequired[bool]
    idle: NotRequired[bool]


class SeedNetwork(TypedDict):
    """What is inherited from the host.

    `certificates`: PEM text of added authorities; `environment`: proxies, written to
    /etc/environment; `files`: path -> text (pip, uv, npm and apt configuration), each mode 0644
    unless it holds credentials, then 0600 and owned by the login.
    """

    certificates: str
    environment: dict[str, str]
    files: dict[str, str]


class SeedFile(TypedDict):
    """A configuration file of a tool; `path` is absolute and below /etc."""

    path: str
    text: str


class SeedUser(TypedDict):
    """`found`: the account is not ours, somebody else made it in this machine."""

    name: str
    keys: list[str]
    found: NotRequired[bool]


class Seed(TypedDict):
    """`image` is its id. With `alone` no host stands behind the machine: it is an exported image,
    without keys and tokens, which it makes itself (`dsvm.guest.alone`)."""

    version: int
    name: str
    login: str
    authorized_keys: list[str]
    host_key: str
    host_key_public: str
    accelerator: str
    image: str
    environments: list[SeedEnvironment]
    trees: list[SeedTree]
    kernels: list[SeedKernel]
    apps: list[SeedApp]
    units: list[SeedUnit]
    files: NotRequired[list[SeedFile]]
    users: list[SeedUser]
    network: SeedNetwork | None
    alone: NotRequired[bool]
