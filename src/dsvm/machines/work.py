"""What people have running inside, and the question before a restart ends it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable

from dsvm.machines.machine import Machine

WORK_S = 30
Confirm = Callable[[str], None]
"""Asks a person before something is lost; raises `DsvmError` unless the answer is yes."""


def confirm_restart(machine: Machine, why: str, confirm: Confirm) -> None:
    """Ask before the machine restarts, naming what that ends; nothing runs: no question.

    Raises what `confirm` raises, `SshFailed` and `RemoteFailed`.
    """
    lost = running_work(machine)
    if lost:
        confirm(f"restart `{machine.name}` ({why}), which ends {', '.join(lost)}?")


def running_work(machine: Machine) -> list[str]:
    """Kernels, terminals, logins and programs of the machine's users, in words for a person."""
    told = machine.ssh.run(["dsvm-guest", "work"], timeout_s=WORK_S).stdout
    return list(sentences(json.loads(told)))


def sentences(works: Iterable[dict[str, str]]) -> Iterable[str]:
    counts = Counter((one["kind"], one["what"], one["user"]) for one in works)
    for (kind, what, user), count in counts.items():
        times = f"{count} × " if count > 1 else ""
        if kind == "kernel":
            yield f"{times}kernel {what} of {user}"
        elif kind == "program":
            yield f"{times}`{what}` of {user}"
        else:
            yield f"{times}{kind} of {user}{f' with `{what}`' if what else ''}"
