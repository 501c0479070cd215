"""Programs of the apps that people call by name: links in /usr/local/bin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dsvm.guest.outcome import Outcome
from dsvm.guest.places import APP_TREES, COMMANDS
from dsvm.guest.seed import SeedTree


def apply(
    trees: Sequence[SeedTree], out: Outcome, folder: Path = COMMANDS, apps: Path = APP_TREES
) -> None:
    """Link what the seed's trees name, take away links of trees that are gone.

    What a person put there under such a name stays, and is told.
    """
    wanted = {
        name: Path(tree["mountpoint"], program)
        for tree in trees
        for name, program in tree.get("commands", {}).items()
    }
    for link in folder.iterdir():
        if link.name not in wanted and _ours(link, apps):
            link.unlink()
    for name, program in wanted.items():
        link = folder / name
        if _ours(link, apps):
            if link.readlink() == program:
                continue
            link.unlink()
        elif link.exists() or link.is_symlink():
            out.notes.append(f"{link} is yours and hides the command `{name}` of {program}")
            continue
        link.symlink_to(program)


def _ours(link: Path, apps: Path) -> bool:
    return link.is_symlink() and link.readlink().is_relative_to(apps)
