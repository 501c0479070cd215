"""Where everything of dsvm is inside the machine.

/run/dsvm/seed/seed.json         what the host says (root only)
/run/dsvm/layers/<digest>        a layer, mounted read-only
/run/dsvm/state.json             what `apply` made of it
/run/dsvm/devices.json           what the machine was given of its host's devices
/run/dsvm/skeletons/<digest>     a layer's directories, open to further users (dsvm.guest.skeleton)
/run/dsvm/views/<env>/<user>     an environment as another user sees it (bound at login by PAM)
/run/dsvm/doors/<app>.sock       where an app behind a gate answers (the login only)
/run/dsvm/told/<user>            what that user is told at the login
/var/lib/dsvm/overlays/<env>/    what the login changed: upper/ work/ layer set-aside/
/var/lib/dsvm/users/<user>/<env>/  the same of another user
/var/lib/dsvm/image.json         what an exported image chose at its first start (root only)
/var/lib/dsvm/whole/<digest>     a layer of an exported image that was hashed here once
/var/lib/dsvm/config.json        path -> sha256 of the tools' configuration files as last written
/var/lib/dsvm/devices.json       links and places that were made for such devices
/var/lib/dsvm/os-units.json      units of OS packages that were kept from starting at boot
/opt/dsvm/envs/<env>             the environment: layer + overlay
/usr/share/dsvm/learn/<lesson>/  a lesson: script, notebooks, data; each user has a copy in ~/learn
/usr/share/dsvm/models/<model>/  how a model of the catalog is asked, if the machine has it
/usr/lib/dsvm/guest/             this code
/usr/lib/dsvm/driver.json        NVIDIA's driver and its kernel, if the image has them
/usr/lib/dsvm/manifest.json      digest and paths of all files that came with it
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

RUN = Path("/run/dsvm")
SEED = RUN / "seed"
LAYERS = RUN / "layers"
STATE = RUN / "state.json"
VIEWS = RUN / "views"
SKELETONS = RUN / "skeletons"
TOLD = RUN / "told"
APPS = RUN / "apps"
DOORS = RUN / "doors"
NETWORK_ENV = RUN / "network.env"
LOGIN_ENV = RUN / "login.env"
MOTD = Path("/run/motd.d/dsvm")

CODE = PurePosixPath("usr/lib/dsvm/guest")
LESSONS = PurePosixPath("usr/share/dsvm/learn")
MODELS = PurePosixPath("usr/share/dsvm/models")
MANIFEST = PurePosixPath("usr/lib/dsvm/manifest.json")

VAR = Path("/var/lib/dsvm")
OVERLAYS = VAR / "overlays"
USER_OVERLAYS = VAR / "users"
TRASH = VAR / "trash"
CONFIG = VAR / "config.json"
DEVICES = VAR / "devices.json"
OS_UNITS = VAR / "os-units.json"
IMAGE = VAR / "image.json"
WHOLE = VAR / "whole"
ENVS = Path("/opt/dsvm/envs")
APP_TREES = Path("/opt/dsvm/apps")
COMMANDS = Path("/usr/local/bin")
PYTHONS = Path("/opt/dsvm/pythons")
KERNELS = Path("/usr/local/share/jupyter/kernels")
KEYS = Path("/etc/ssh/dsvm-keys")
UNITS = Path("/run/systemd/system")

# Every user besides the login is in it.
GROUP = "dsvm-users"


def overlay(environment: str, user: str | None) -> Path:
    """What a user changed in an environment; None is the machine's login."""
    if user is None:
        return OVERLAYS / environment
    return USER_OVERLAYS / user / environment
