"""What the hooks of CDI files mean. dsvm starts none: a program of the host has no business in a
machine, and what they do the machine's own system does as well."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath

from dsvm.engines.cdi.model import Hook

# What the hooks of NVIDIA's toolkit, and of makers who followed it, are called.
FOLDERS = ("update-ldcache", "create-soname-symlinks")
LINKS = "create-symlinks"
# They concern what a machine does not have: folders that are open to fewer, libraries of CUDA in
# an image that are newer than the driver, root that may make devices.
NOTHING = ("chmod", "enable-cuda-compat", "disable-device-node-modification")


class Unknown(Exception):
    """Nobody knows what the hook does; the text says which one."""


@dataclass(frozen=True)
class Meaning:
    """`folders` that the linker looks in; `links`: link -> what it says."""

    folders: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)


def understand(hook: Hook) -> Meaning:
    """Raises `Unknown`."""
    # args begins with the program's own name, and older toolkits say `nvidia-ctk hook NAME`.
    words = hook.args[1:]
    words = words[1:] if words[:1] == ["hook"] else words
    what, rest = (words[0], words[1:]) if words else ("", [])
    if what in NOTHING:
        return Meaning()
    if what in FOLDERS:
        folders = [one for text in _values("--folder", rest) for one in text.split(":")]
        return Meaning(folders=tuple(one for one in folders if _fits(one, hook)))
    if what == LINKS:
        pairs = [text.partition("::") for text in _values("--link", rest)]
        return Meaning(links={link: target for target, _, link in pairs if _fits(link, hook)})
    raise _unknown(hook)


def _values(option: str, words: list[str]) -> list[str]:
    """Of `--option VALUE` and `--option=VALUE`."""
    found = [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]
    return found + [value for word, value in pairwise(words) if word == option]


def _fits(path: str, hook: Hook) -> bool:
    parts = PurePosixPath(path)
    if not parts.is_absolute() or ".." in parts.parts or not path.isprintable():
        raise _unknown(hook)
    return True


def _unknown(hook: Hook) -> Unknown:
    line = shlex.join([hook.path, *hook.args[1:]])
    shown = line if len(line) <= 100 else f"{line[:100]}…"
    return Unknown(f"its hook `{shown}` was not run, and dsvm does not know what it is for")
