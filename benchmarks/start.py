"""From everything cached to a machine that is used: JupyterLab under nspawn, SSH under emulation.

Usage: python -m benchmarks.start [--rounds 3] [--boots 2]        (root)

A machine with the profile `starter` is made first, and removed at the end. The emulated boots
alternate with those of a bare disk: the same OS packages, sshd and network, nothing of dsvm.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks.support import Figure, Runs, dsvm, ratios, save, started, told, wait_for
from dsvm.build.disk import write_disk
from dsvm.build.guest_tree import Entry
from dsvm.build.tools_tree import ToolsTree
from dsvm.engines.qemu import firmware
from dsvm.engines.qemu.accelerator import EMULATION
from dsvm.home import Home
from dsvm.lock import read_lock
from dsvm.machines.ports import choose_port
from dsvm.programs import run
from dsvm.store import Store

LIMIT_S = 300
MEMORY = "4G"
DEFINITION = f'name = "benchmark"\nprofile = "starter"\n[size]\ncpus = 2\nmemory = "{MEMORY}"\n'
NETWORK = b"[Match]\nName=en*\n[Network]\nDHCP=yes\n"
UNITS = PurePosixPath("etc/systemd/system")
# Before Debian's own `sshd -t`, which refuses a key that everybody may read.
PRIVATE_KEY = b"""[Service]
ExecStartPre=
ExecStartPre=/bin/chmod 600 /etc/ssh/ssh_host_ed25519_key
ExecStartPre=/usr/sbin/sshd -t
"""
TEXT = """\
A machine with the profile `starter`, everything built.

- *start to JupyterLab*: from `dsvm start` of a stopped machine (nspawn) to the first answer 200.
- *emulated boot to SSH*: `dsvm start --engine qemu` without KVM, to its end, when it has logged in
  over SSH, beside the best bare boot, to sshd's greeting: the same OS packages, sshd and network on
  a disk of the same kind (UEFI, NVMe, no initramfs), and nothing of dsvm. They take turns.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--boots", type=int, default=2)
    asked = parser.parse_args()
    home, runs = Home.default(), Runs()
    with tempfile.TemporaryDirectory(prefix="dsvm-benchmark-") as scratch:
        place = Path(scratch)
        (place / "dsvm.toml").write_text(DEFINITION)
        up = told(home.root, "up", "--engine", "nspawn", cwd=place)
        try:
            _native(home, place, up, runs, asked.rounds)
            _emulated(home, place, runs, asked.boots)
        finally:
            dsvm(home.root, "rm", "--yes", cwd=place)
    save("start", "From everything cached to work", TEXT, _figures(runs), runs=runs.json())


def _native(home: Home, place: Path, up: dict[str, Any], runs: Runs, rounds: int) -> None:
    url = up["apps"]["jupyterlab"]["url"]
    for _ in range(rounds):
        dsvm(home.root, "stop", cwd=place)
        runs.add("start to JupyterLab", started(home, place, [], lambda: wait_for(url)))
        for what, words in (("up, nothing changed", ["up"]), ("--help", ["--help"])):
            began = time.perf_counter()
            dsvm(home.root, *words, cwd=place)
            runs.add(what, time.perf_counter() - began)


def _emulated(home: Home, place: Path, runs: Runs, boots: int) -> None:
    disk = bare_disk(home, place)
    for count in range(boots + 1):
        dsvm(home.root, "stop", cwd=place)
        began = time.perf_counter()
        # Nobody else asks for sshd: a client that gives up keeps passt of 2023, which then turns in
        # a circle, on one of the processors until the machine answers.
        dsvm(home.root, "start", "--engine", "qemu", cwd=place)
        took = time.perf_counter() - began
        dsvm(home.root, "stop", cwd=place)  # it would take the processors from the other
        bare = bare_boot(disk, place)
        print(f"emulated boot {count}: dsvm {took:.1f} s, bare {bare:.1f} s", flush=True)
        if count:  # the first one under another engine is not what is measured
            runs.add("emulated boot: dsvm", took)
            runs.add("emulated boot: bare", bare)


def bare_disk(home: Home, place: Path) -> Path:
    """A disk made from the OS layer alone, with what sshd and the network need."""
    lock = read_lock(place / "dsvm.lock")
    assert lock is not None
    layers = json.loads(dsvm(home.root, "build", "--json", "--yes", cwd=place))["layers"]
    digest = next(layer["digest"] for layer in layers if layer["kind"] == "os")
    store, log = Store(home.store), place / "bare.log"
    tools = ToolsTree.of(lock.tools_tree, store, home)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / "key"])
    entries = [
        Entry(PurePosixPath("etc/ssh/ssh_host_ed25519_key"), (place / "key").read_bytes()),
        Entry(PurePosixPath("etc/systemd/network/10-bare.network"), NETWORK),
        Entry(UNITS / "ssh.service.d/10-bare.conf", PRIVATE_KEY),
        Entry(UNITS / "sshd-keygen.service", link="/dev/null"),
        Entry(
            UNITS / "multi-user.target.wants/systemd-networkd.service",
            link="/usr/lib/systemd/system/systemd-networkd.service",
        ),
    ]
    disk = place / "bare.raw"
    write_disk(store.get(digest), entries, disk, tools, digest, place, log)
    return disk


def bare_boot(disk: Path, place: Path) -> float:
    """Seconds from the start of QEMU to sshd's greeting; nothing is written to the disk."""
    found = firmware.find()
    assert found is not None
    port = choose_port("benchmark", set())
    (place / "vars.fd").write_bytes(found.variables.read_bytes())
    argv = [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "q35"),
        *(*EMULATION.argv, "-smp", "2", "-m", MEMORY, "-display", "none"),
        *("-drive", f"if=pflash,format=raw,readonly=on,file={found.code}"),
        *("-drive", f"if=pflash,format=raw,file={place / 'vars.fd'}"),
        *("-drive", f"if=none,id=disk,format=raw,snapshot=on,file={disk}"),
        *("-device", "nvme,drive=disk,serial=bare,bootindex=0", "-device", "virtio-rng-pci"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
    ]
    began = time.perf_counter()
    machine = subprocess.Popen(argv)
    try:
        greeted(port)
        return time.perf_counter() - began
    finally:
        machine.send_signal(signal.SIGTERM)
        machine.wait()


def greeted(port: int) -> None:
    """Wait for sshd's greeting. We greet first: passt of Debian 12 wants the host to begin."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as line:
                line.settimeout(2)
                line.sendall(b"SSH-2.0-benchmark\r\n")
                if line.recv(16).startswith(b"SSH-2.0"):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"no sshd on port {port} within {LIMIT_S} s")


def _figures(runs: Runs) -> list[Figure]:
    def seconds(what: str, target: float | None) -> Figure:
        values = runs.seconds(what)
        return Figure(what, statistics.median(values), "s", target, values=values)

    pairs = ratios(runs, "emulated boot: dsvm", "emulated boot: bare")
    return [
        seconds("start to JupyterLab", 5),
        seconds("up, nothing changed", None),
        seconds("--help", 0.2),
        Figure(
            "emulated boot to SSH by a bare one", statistics.median(pairs), "x", 1.5, True, pairs
        ),
        seconds("emulated boot: dsvm", None),
        seconds("emulated boot: bare", None),
    ]


if __name__ == "__main__":
    main()
