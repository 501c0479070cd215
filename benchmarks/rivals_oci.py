"""An OCI image as a person would build it: buildah, a layer of apt, a layer of pip each.

The base image (a minimal Debian) is there before the clock runs, as if it had been pulled. The
packages come from a local repository and a folder of wheels: nothing is downloaded.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.rivals_bare import run
from dsvm.lock.model import Lock

BASE, IMAGE = "localhost/base", "localhost/machine"
VENVS = "/opt/envs"


class Oci:
    """One store of images below `root`; `context` is the folder with the Containerfile."""

    def __init__(self, root: Path, base: Path, repository: Path, wheels: Path) -> None:
        self.root = root
        self.context = root / "context"
        self.repository, self.wheels = repository, wheels
        self.context.mkdir(parents=True)
        container = self._buildah("from", "scratch").strip()
        self._buildah("add", container, str(base), "/")
        self._buildah("commit", "--rm", container, BASE)

    def build(self, lock: Lock) -> None:
        """The image, from the layers that still hold."""
        (self.context / "Containerfile").write_text(containerfile(lock))
        for one in lock.environments:
            pins = "".join(f"{wheel.name}=={wheel.version}\n" for wheel in one.packages)
            (self.context / f"{one.name}.txt").write_text(pins)
        volumes = ["-v", f"{self.repository}:/repository:ro", "-v", f"{self.wheels}:/wheels:ro"]
        self._buildah(
            *("bud", "--isolation", "chroot", "--network", "host", "--layers", *volumes),
            *("-t", IMAGE, str(self.context)),
        )

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        """A new container of the image that runs the command."""
        container = self._buildah("from", IMAGE).strip()
        words = [*self._words("run"), "--isolation", "chroot", "--network", "host", container]
        return subprocess.Popen(
            [*words, "--", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def remove(self) -> None:
        self._buildah("rm", "--all")
        self._buildah("rmi", "--all", "--force")
        subprocess.run(["umount", "-R", self.root / "storage/overlay"], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.root)

    def _words(self, command: str) -> list[str]:
        places = ["--root", str(self.root / "storage"), "--runroot", str(self.root / "run")]
        return ["buildah", *places, "--storage-driver", "overlay", command]

    def _buildah(self, command: str, *argv: str) -> str:
        done = subprocess.run([*self._words(command), *argv], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"buildah {command}: {done.stderr[-2000:]}")
        return done.stdout


def containerfile(lock: Lock) -> str:
    names = " ".join(f"{package.name}={package.version}" for package in lock.os.packages)
    lines = [
        f"FROM {BASE}",
        f"RUN {apt_sources('/repository')} && apt-get update && DEBIAN_FRONTEND=noninteractive"
        f" apt-get install -y --no-install-recommends {names}",
    ]
    for one in lock.environments:
        lines += [f"COPY {one.name}.txt /", f"RUN {pip_install(one.name, f'/{one.name}.txt')}"]
    return "\n".join(lines) + "\n"


def apt_sources(repository: str) -> str:
    """Shell: packages come from the local repository alone. apt's own user may not read it."""
    return (
        f"echo 'deb [trusted=yes] file:{repository} ./' > /etc/apt/sources.list"
        " && rm -rf /etc/apt/sources.list.d"
        " && echo 'APT::Sandbox::User \"root\";' > /etc/apt/apt.conf.d/10sandbox"
    )


def pip_install(name: str, pins: str) -> str:
    """Shell: a virtual environment, and what the file of pins names."""
    pip = f"{VENVS}/{name}/bin/pip install -q --no-index --find-links /wheels --no-deps"
    return f"python3 -m venv {VENVS}/{name} && {pip} --no-cache-dir -r {pins}"


def base_tree(suite: str, repository: Path, target: Path, include: str) -> None:
    """A minimal system out of the local repository: what would be pulled."""
    source = f"deb [trusted=yes] copy:{repository} ./"
    kept = ["--variant=essential", f"--include={include}", "--dpkgopt=force-unsafe-io"]
    run("mmdebstrap", *kept, "--format=tar", suite, target, source)
