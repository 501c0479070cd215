"""Installing at first boot, in cloud-init's manner: a minimal system boots under nspawn and a
unit installs everything. The minimal system is there before the clock runs, as if it had been
downloaded, and so are the packages."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from benchmarks.rivals_oci import apt_sources, pip_install
from dsvm.lock.model import Lock

LIMIT_S = 1200
DONE, ENDED = "first-boot-done", "first-boot-ended"
UNIT = f"""\
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh -eux /first-boot.sh
ExecStart=/bin/touch /{DONE}
ExecStopPost=/bin/touch /{ENDED}
StandardOutput=file:/first-boot.log
StandardError=file:/first-boot.log
[Install]
WantedBy=multi-user.target
"""


class FirstBoot:
    """One new machine below `root`, not yet started."""

    def __init__(self, root: Path, base: Path, lock: Lock) -> None:
        self.root = root
        root.mkdir(parents=True)
        subprocess.run(["tar", "-xf", base, "-C", root], check=True)
        (root / "first-boot.sh").write_text(script(lock))
        for one in lock.environments:
            pins = "".join(f"{wheel.name}=={wheel.version}\n" for wheel in one.packages)
            (root / f"{one.name}.txt").write_text(pins)
        unit = root / "etc/systemd/system/first-boot.service"
        unit.write_text(UNIT)
        wanted = unit.parent / "multi-user.target.wants"
        wanted.mkdir(exist_ok=True)
        (wanted / unit.name).symlink_to(f"../{unit.name}")

    def boot(self, repository: Path, wheels: Path) -> None:
        """From the start of the machine to the end of its installation."""
        seen = [f"--bind-ro={repository}:/repository", f"--bind-ro={wheels}:/wheels"]
        # The host's time zone, bound over /etc/localtime, would keep tzdata from being installed.
        nspawn = ["systemd-nspawn", "--quiet", "-b", "--register=no", "--keep-unit"]
        nspawn += ["--timezone=off", *seen]
        with (self.root.parent / f"{self.root.name}.log").open("wb") as log:
            machine = subprocess.Popen(
                ["unshare", "--mount", *nspawn, "-D", str(self.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait(machine)
        finally:
            machine.terminate()
            machine.wait()

    def remove(self) -> None:
        shutil.rmtree(self.root)

    def _wait(self, machine: subprocess.Popen[bytes]) -> None:
        began = time.monotonic()
        while True:
            late = machine.poll() is not None or time.monotonic() - began > LIMIT_S
            ended = late or (self.root / ENDED).exists()
            if (self.root / DONE).exists():
                return
            if ended:
                log = self.root / "first-boot.log"
                told = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise SystemExit(f"the installation at first boot did not end well: {told}")
            time.sleep(0.1)


def script(lock: Lock) -> str:
    names = " ".join(f"{package.name}={package.version}" for package in lock.os.packages)
    apt = f"apt-get install -y --no-install-recommends {names}"
    lines = [apt_sources("/repository"), "apt-get update"]
    lines += ["export DEBIAN_FRONTEND=noninteractive", apt]
    lines += [pip_install(one.name, f"/{one.name}.txt") for one in lock.environments]
    return "\n".join(lines) + "\n"
