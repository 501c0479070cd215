"""Copies files and folders to and from a machine, as tar over its SSH."""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from dsvm import scratch
from dsvm.errors import DsvmError
from dsvm.machines.parts import inside
from dsvm.machines.ssh import RemoteFailed, Ssh
from dsvm.programs import ProgramFailed

HOME = inside("~")
_TARGET = r"""
set -e
target=$1 name=$2
case $target in '~') target=$HOME ;; '~/'*) target=$HOME/${target#'~/'} ;; esac
"""
_BESIDE = r"""
around=$(dirname -- "$target")
mkdir -p -- "$around"
scratch=$(mktemp -d -- "$around/.dsvm-cp.XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT
tar -x --no-same-owner -f - -C "$scratch"
"""

INTO = f"""{_TARGET}
case $target in */) mkdir -p -- "$target" ;; esac
if [ -d "$target" ]; then exec tar -x --no-same-owner -f - -C "$target"; fi
{_BESIDE}
mv -T -- "$scratch/$name" "$target"
"""
"""As cp(1): into the folder `target` if there is one, else as `target`, complete or not at all."""

EXACT = f"""{_TARGET}
target=${{target%/}}
{_BESIDE}
if [ -d "$scratch/$name" ] && [ -d "$target" ]; then
    cp -a -- "$scratch/$name/." "$target/"
else
    mv -T -- "$scratch/$name" "$target"
fi
"""
"""As `target` itself: a folder's files are laid over those that are there."""

FROM = f"""{_TARGET}
target=$(realpath -s -- "$target")
exec tar -c -f - -C "$(dirname -- "$target")" -- "$(basename -- "$target")"
"""


def put(ssh: Ssh, source: Path, target: str, *, exact: bool = False, sudo: bool = False) -> None:
    """Copy a file or folder of the host in.

    Without `exact` as cp(1) does; with it `target` is what the copy is called, and a folder is
    laid over the one that is there. With `sudo` it belongs to root. Raises `DsvmError` when the
    source cannot be read, `RemoteFailed` when the target cannot be written.
    """
    # Not resolved: a link's own name is the one the copy gets, what it points to is copied.
    place = Path(os.path.abspath(source))  # noqa: PTH100
    if not place.exists():
        raise DsvmError(f"there is no `{source}` on the host")
    script = EXACT if exact else INTO
    root = ["sudo", "-n"] if sudo else []
    remote = [*root, "sh", "-c", script, "sh", target, place.name]
    if place.is_symlink():
        with scratch.folder("cp") as folder:
            copied = folder / place.name
            (shutil.copytree if place.is_dir() else shutil.copy2)(place, copied)
            _send(ssh, ["-C", str(folder), "--", place.name], remote)
    else:
        _send(ssh, ["-C", str(place.parent), "--", place.name], remote)


def put_files(ssh: Ssh, files: Iterable[tuple[Path, str]], target: str) -> None:
    """Copy files of the host into the folder `target` (made if missing), each under its name."""
    with scratch.folder("cp") as folder:
        for path, name in files:
            (folder / name).symlink_to(path.absolute())
        script = 'mkdir -p -- "$1" && exec tar -x --no-same-owner -f - -C "$1"'
        _send(ssh, ["-h", "-C", str(folder), "--", "."], ["sh", "-c", script, "sh", target])


def get(ssh: Ssh, source: str, target: Path) -> None:
    """Copy a file or folder of the machine to the host, as cp(1) does.

    Who is root in the machine decides what it sends, so only what was asked for is taken, and
    nothing is written through a link. Raises `RemoteFailed` when the source cannot be read,
    `DsvmError` when the target cannot be written, or something else was sent.
    """
    into = target if target.is_dir() else target.absolute().parent
    if not into.is_dir():
        raise DsvmError(f"there is no folder `{into}` on the host")
    try:
        with scratch.folder("cp", into) as folder:
            _receive(ssh, source, folder)
            found = _asked_for(source, folder)
            _lay(found, target / found.name if target.is_dir() else target)
    except OSError as refused:
        raise DsvmError(f"`{target}` cannot be written", cause=str(refused)) from None


def _asked_for(source: str, folder: Path) -> Path:
    """The one file or folder of that name in the folder."""
    name = posixpath.basename(posixpath.normpath(posixpath.join(HOME, inside(source))))
    sent = sorted(path.name for path in folder.iterdir())
    if sent == [name]:
        return folder / name
    raise DsvmError(
        f"the machine sent something else than `{source}`",
        cause=f"it sent {', '.join(map(repr, sent[:8])) or 'nothing'}; nothing of it was kept",
        remedy="look at what changed the machine's `tar`, `sh` or SSH server",
    )


def _lay(found: Path, place: Path) -> None:
    """Move a copy to its place; a folder's files are laid over those that are there."""
    folder = _is_folder(found)
    if folder and _is_folder(place):
        for each in found.iterdir():
            _lay(each, place / each.name)
    elif _is_folder(place):
        raise DsvmError(f"`{place}` is a folder, the copy is not", remedy="name another target")
    elif folder and place.is_symlink():
        raise DsvmError(f"`{place}` is a link, the copy a folder", remedy="remove the link")
    else:
        found.replace(place)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _send(ssh: Ssh, packed: Sequence[str], remote: Sequence[str]) -> None:
    ssh.open()
    argv = ["tar", "-c", "-f", "-", *packed]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as packer:
        assert packer.stdout
        assert packer.stderr
        try:
            ssh.run_bytes(remote, stdin=packer.stdout)
        finally:
            packer.stdout.close()
            said = packer.stderr.read().decode(errors="replace")
    if packer.returncode != 0:
        raise ProgramFailed(argv, f"failed with status {packer.returncode}", output=said)


def _receive(ssh: Ssh, source: str, scratch: Path) -> None:
    ssh.open()
    remote = ["sh", "-c", FROM, "sh", source, ""]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            ssh.argv(remote), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as sender,
    ):
        # GNU tar refuses members that would leave the folder.
        argv = ["tar", "-x", "--no-same-owner", "-f", "-", "-C", str(scratch)]
        unpacked = subprocess.run(argv, stdin=sender.stdout, capture_output=True, check=False)
        assert sender.stdout
        sender.stdout.close()
        status = sender.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if status != 0:
        reason = f"failed with status {status}"
        raise RemoteFailed(ssh.machine, ["tar", "-c", source], reason, said, status)
    if unpacked.returncode != 0:
        output = unpacked.stderr.decode(errors="replace")
        raise ProgramFailed(argv, f"failed with status {unpacked.returncode}", output=output)
