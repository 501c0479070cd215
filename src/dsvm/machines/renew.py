"""Renews the guest's code on the disk of a machine that exists, over SSH."""

from __future__ import annotations

import json

from dsvm.build import guest_tree
from dsvm.guest.places import MANIFEST
from dsvm.machines.machine import Machine
from dsvm.progress import Progress

RENEW_S = 300
# The new version puts itself in place, so one that this Python cannot run changes nothing. What a
# killed renewal left goes first.
UNPACK = """
set -e
rm -rf /usr/lib/dsvm/.renew-*
staged=$(mktemp -d /usr/lib/dsvm/.renew-XXXXXX)
trap 'rm -rf "$staged"' EXIT
tar -x --no-same-owner -p -f - -C "$staged"
PYTHONPATH=$staged/usr/lib python3 -PsB -m dsvm.guest renew "$staged"
"""


def renew_guest(machine: Machine, progress: Progress) -> bool:
    """Give a running machine the guest code of this dsvm; False when it has it already.

    Kernels, terminals and logins go on. The new code has not applied the seed yet. Raises
    `RemoteFailed`; then the machine has its old code, or is renewed by the next call.
    """
    if _there(machine) == guest_tree.guest_digest():
        return False
    files = guest_tree.tar(guest_tree.entries(), (), 0)
    with progress.step(f"renewing the guest code of {machine.name}"):
        argv = ["sudo", "-n", "sh", "-c", UNPACK]
        machine.ssh.run(argv, stdin=files, timeout_s=RENEW_S)
    return True


def _there(machine: Machine) -> str:
    """What the disk says now; a restored disk may be older than the record."""
    found = machine.ssh.run(["cat", f"/{MANIFEST}"], check=False, timeout_s=30)
    try:
        return str(json.loads(found.stdout)["digest"])
    except (ValueError, KeyError, TypeError):
        return ""
