"""What the models cannot say: the meaning of each value of a definition."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dsvm.definition.faults import Faults, SourceText, shown, shown_path
from dsvm.definition.model import Definition
from dsvm.definition.positions import Place
from dsvm.definition.requirements import RequirementSet, read_requirements
from dsvm.definition.sizes import (
    LARGEST_DISK,
    LARGEST_MEMORY,
    SMALLEST_DISK,
    SMALLEST_MEMORY,
    format_bytes,
    parse_bytes,
)
from dsvm.definition.tomltext import toml_value

HOME = "/home/ds"
KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
# Accounts that Debian's base system and the packages of every machine have.
TAKEN_USERS = frozenset(
    (
        *("ds", "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news"),
        *("uucp", "proxy", "www-data", "backup", "list", "irc", "nobody", "sshd", "sudo"),
        *("messagebus", "systemd-network", "systemd-timesync", "systemd-resolve", "postgres"),
    )
)
# Made anew at each boot, or dsvm's own: what is put there is lost or breaks the machine.
GUARDED = ("/proc", "/sys", "/dev", "/run", "/boot", "/opt/dsvm")
# A mount there hides parts of the operating system.
SYSTEM = ("/bin", "/etc", "/lib", "/lib32", "/lib64", "/sbin", "/usr", "/var", "/root")

# A name of the Container Device Interface (its SPEC.md), and a PCI address as in sysfs.
_DEVICE = re.compile(
    r"[A-Za-z0-9.-]+/[A-Za-z0-9][A-Za-z0-9_.-]*=[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?"
    r"|[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
)
_REPOSITORY_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OS_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")


@dataclass(frozen=True)
class Checker:
    """Checks one definition; `folder` is where dsvm.toml lies."""

    definition: Definition
    folder: Path
    source: SourceText
    faults: Faults

    def check(self) -> dict[str, RequirementSet]:
        """All checks; what the own environments ask for, by name."""
        for check in (
            self._size,
            self._accelerator,
            self._devices,
            self._packages,
            self._users,
            self._files,
            self._mounts,
            self._catalog,
            self._models,
        ):
            check()
        return self._environments()

    def _bad(
        self, place: Place, what: str, remedy: str, cause: str | None = None, hide: bool = False
    ) -> None:
        if not self.faults.known(self.source, place):
            self.faults.add(self.source, place, what, cause=cause, remedy=remedy, hide=hide)

    def _size(self) -> None:
        size = self.definition.size
        self._bytes(("size", "memory"), size.memory, SMALLEST_MEMORY, LARGEST_MEMORY)
        self._bytes(("size", "disk"), size.disk, SMALLEST_DISK, LARGEST_DISK)
        for name, one in self.definition.sizes.items():
            place = ("sizes", name)
            self._bytes((*place, "memory"), one.memory, SMALLEST_MEMORY, LARGEST_MEMORY)
            memory = one.accelerator_memory
            self._bytes((*place, "accelerator_memory"), memory, SMALLEST_MEMORY, LARGEST_MEMORY)

    def _bytes(self, place: tuple[str, ...], text: str | None, least: int, most: int) -> None:
        if text is None:
            return
        key = ".".join(place)
        try:
            count = parse_bytes(text)
        except ValueError:
            what = f"`{key}` is no size: {toml_value(shown(text, 40))}"
            self._bad(place, what, "a number and K, M, G or T: `4G`, `512M`")
            return
        if not least <= count <= most:
            bounds = f"between {format_bytes(least)} and {format_bytes(most)}"
            self._bad(place, f"`{key}` is out of bounds", f"choose one {bounds}")

    def _accelerator(self) -> None:
        variants = self.definition.accelerator.variants
        wanted = self.definition.size.accelerator
        if variants and wanted != "auto" and wanted not in variants:
            self._bad(
                ("size", "accelerator"),
                f"the image carries no builds for `{wanted}`",
                f'add "{wanted}" to `variants` in `[accelerator]`',
            )

    def _devices(self) -> None:
        for number, name in enumerate(self.definition.size.devices or ()):
            if name and not _DEVICE.fullmatch(name):
                self._bad(
                    ("size", "devices", number),
                    f"`{shown(name, 60)}` is no name of a device",
                    "write it like `nvidia.com/gpu=0`, or its PCI address like `0000:01:00.0`",
                )

    def _packages(self) -> None:
        for number, name in enumerate(self.definition.packages):
            if not _OS_PACKAGE.fullmatch(name):
                self._bad(
                    ("packages", number),
                    f"`{shown(name, 60)}` is no name of an OS package",
                    "names only, like `ffmpeg`; versions are kept by the lock",
                )

    def _users(self) -> None:
        for name, user in self.definition.users.items():
            if name in TAKEN_USERS or not name[0].isalpha():
                why = "is taken by the machine" if name in TAKEN_USERS else "begins with a digit"
                self._bad(("users", name), f"the user name `{name}` {why}", "choose another name")
            for number, key in enumerate(user.keys):
                self._ssh_key(("users", name, "keys", number), key)

    def _ssh_key(self, place: Place, key: str) -> None:
        if "PRIVATE KEY" in key:
            remedy = "take the line of the file that ends in `.pub`, and keep this one to yourself"
            self._bad(place, f"`{place[1]}` has a private key", remedy, hide=True)
        elif (why := ssh_key_fault(key)) is not None:
            remedy = "take the whole line of a file like `~/.ssh/id_ed25519.pub`"
            self._bad(place, f"no public SSH key for `{place[1]}`", remedy, cause=why)

    def _files(self) -> None:
        seen: dict[str, str] = {}
        for target, source in self.definition.files.items():
            place: Place = ("files", target)
            path = self._target(place, target, seen)
            if path and below(path, GUARDED):
                what = f"nothing can be copied to `{shown(target)}`"
                self._bad(place, what, "choose a target like `~/notebooks`")
            self._existing(place, self._host_path(source), source, "files or folders", is_readable)

    def _mounts(self) -> None:
        seen: dict[str, str] = {}
        for target, text in self.definition.mounts.items():
            place: Place = ("mounts", target)
            path = self._target(place, target, seen)
            if path and (below(path, (*GUARDED, *SYSTEM)) or path in (HOME, "/home")):
                what = f"a mount at `{shown(target)}` would hide a part of the machine"
                self._bad(place, what, "choose a target like `~/data` or `/srv/data`")
            source, _ = split_mount(text)
            if not source.startswith(("/", "~/")) and source != "~":
                what = f"the host's folder of `{shown(target)}` is not absolute"
                self._bad(place, what, 'write it like "/srv/data", "~/data" or "/srv/data:ro"')
                continue
            self._existing(place, self._host_path(source), source, "folders", Path.is_dir)

    def _target(self, place: Place, target: str, seen: dict[str, str]) -> str | None:
        """The target's real path inside, None if it was refused."""
        path = inside(target)
        if path is None or path == "/":
            what = f"`{shown(target, 60)}` is no place inside the machine"
            self._bad(place, what, "write an absolute path or one that begins with `~/`")
            return None
        if path in seen:
            what = f"`{shown(target)}` and `{shown(seen[path])}` are the same place"
            self._bad(place, what, "leave one of them out")
            return None
        seen[path] = target
        return path

    def _catalog(self) -> None:
        for number, text in enumerate(self.definition.catalog.paths):
            place: Place = ("catalog", "paths", number)
            self._existing(place, self._host_path(text), text, "folders", Path.is_dir)

    def _host_path(self, text: str) -> Path:
        return host_path(text, self.folder)

    def _existing(
        self, place: Place, path: Path, text: str, kind: str, good: Callable[[Path], bool]
    ) -> None:
        try:
            exists, right = path.exists(), good(path)
        except (OSError, ValueError):
            exists = right = False
        if not exists:
            what = f"`{shown(text, 60)}` does not exist"
            self._bad(place, what, f"create it, or correct the path: {shown_path(path)}")
        elif not right:
            self._bad(place, f"`{shown(text, 60)}` cannot be used here", f"name {kind} only")

    def _models(self) -> None:
        for name, model in self.definition.models.items():
            place: Place = ("models", name)
            needed = {"repository": model.repository, "revision": model.revision}
            needed["files"] = "told" if model.files else None
            if model.hub is None and (told := [key for key, value in needed.items() if value]):
                what = f"model `{name}` has `{told[0]}` and no `hub`"
                self._bad((*place, told[0]), what, 'add `hub = "huggingface"`, or leave it out')
            elif model.hub and (lacking := [key for key, value in needed.items() if not value]):
                what = f"model `{name}` has no `{lacking[0]}`"
                self._bad((*place, lacking[0]), what, f"add `{lacking[0]}`")
            elif model.hub:
                self._model_files(place, model.files)

    def _model_files(self, place: Place, files: dict[str, str]) -> None:
        for path, digest in files.items():
            here = (*place, "files", path)
            if not _REPOSITORY_PATH.fullmatch(path) or ".." in path.split("/"):
                what = f"`{shown(path, 60)}` is no path in a repository"
                self._bad(here, what, "write it like `onnx/model.onnx`")
            elif not _SHA256.fullmatch(digest):
                what = f"the file `{shown(path, 60)}` has no sha256"
                self._bad(here, what, "write the 64 hexadecimal digits that the hub shows for it")
        if not any(path.endswith(".onnx") for path in files):
            what = "none of its files is an ONNX model"
            self._bad((*place, "files"), what, "name one that ends in `.onnx`")

    def _environments(self) -> dict[str, RequirementSet]:
        found = {}
        for name, environment in self.definition.environments.items():
            place: Place = ("environments", name)
            if (environment.requirements is None) == (environment.file is None):
                both = environment.file is not None
                what = f"environment `{name}` has " + (
                    "both `requirements` and `file`" if both else "no requirements"
                )
                remedy = "keep one of them" if both else 'add `requirements = ["polars"]` or `file`'
                self._bad((*place, "file") if both else (*place, "?"), what, remedy)
                continue
            found[name] = read_requirements(
                name, environment, self.folder, self.source, self.faults
            )
        return found


def split_mount(text: str) -> tuple[str, bool]:
    """The host's folder of a mount, and whether the machine may only read it."""
    return (text[:-3], True) if text.endswith(":ro") else (text, False)


def inside(target: str) -> str | None:
    """The absolute path inside the machine; `~` is the login's home. None if it is none."""
    if not target.isprintable() or ":" in target:
        return None
    path = HOME + target[1:] if target == "~" or target.startswith("~/") else target
    if not path.startswith("/") or ".." in path.split("/"):
        return None
    return "/" + posixpath.normpath(path).lstrip("/")


def below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def host_path(text: str, folder: Path) -> Path:
    """A path of the host as written in dsvm.toml: absolute, `~`, or relative to its folder."""
    try:
        return folder / Path(text).expanduser()
    except RuntimeError:
        return folder / text


def is_readable(path: Path) -> bool:
    return path.is_file() or path.is_dir()


def ssh_key_fault(key: str) -> str | None:
    """Why `key` is not one line of an OpenSSH public key file (RFC 4253, 6.6); None if it is."""
    if not key.isprintable():
        return "a key is one line"
    kind, _, rest = key.strip().partition(" ")
    if kind not in KEY_TYPES:
        return f"it begins with `{shown(kind, 30)}`, not with a type like `ssh-ed25519`"
    try:
        blob = base64.b64decode(rest.strip().split(" ")[0], validate=True)
    except (binascii.Error, ValueError):
        return "what follows the type is not base64"
    length = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + length].decode("ascii", "replace") != kind or len(blob) < 32:
        return "the key is cut off or damaged"
    return None
