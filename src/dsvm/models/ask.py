"""Ask a model of a running machine: inputs from the person's computer, answers back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsvm.errors import DsvmError
from dsvm.machines.machine import Machine
from dsvm.machines.ssh import RemoteFailed
from dsvm.machines.transfer import put_files
from dsvm.models.model import InputKind
from dsvm.models.tool import PROGRAM, tool_name

PLACE = "/var/tmp/dsvm-model"
SETUP_S = 120


@dataclass(frozen=True)
class Given:
    """One input: a text, a file of this computer, or (`inside`) a path in the machine."""

    text: str
    inside: bool = False


def present(machine: Machine, name: str) -> None:
    """Raises `DsvmError` unless the machine has the model."""
    record, tool = machine.record, tool_name(name)
    if why := record.lock.unreachable.get(tool):
        raise DsvmError(
            f"machine `{machine.name}` has no model `{name}`: it was not reached",
            cause=why,
            remedy=f"see that its hub is reached, then `dsvm lock --upgrade {tool}`, and `dsvm up`",
        )
    if tool not in record.tools:
        raise DsvmError(
            f"machine `{machine.name}` has no model `{name}`",
            remedy=f"`dsvm models add {name}` brings it",
        )


def ask(machine: Machine, name: str, kind: InputKind, inputs: Sequence[Given]) -> list[Any]:
    """What the model answers to each input. Files of this computer are copied in, and removed.

    Raises `DsvmError` when the model is not there or a file cannot be read, and with the model's
    own words when it cannot answer.
    """
    present(machine, name)
    with _inside(machine, kind, inputs) as words:
        try:
            done = machine.ssh.run([PROGRAM, name, *words])
        except RemoteFailed as failed:
            said = (failed.output.strip().splitlines() or ["it said nothing"])[-1]
            raise DsvmError(f"the model `{name}` did not answer", cause=said) from failed
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def _inside(machine: Machine, kind: InputKind, inputs: Sequence[Given]) -> Iterator[list[str]]:
    """The inputs as the machine has them: texts, and paths."""
    here = {} if kind == "text" else {n: one for n, one in enumerate(inputs) if not one.inside}
    for one in here.values():
        if not Path(one.text).is_file():
            raise DsvmError(
                f"there is no file `{one.text}` on this computer",
                remedy=f"for one in the machine write `{machine.name}:PATH`, or `:PATH`",
            )
    if not here:
        yield [one.text for one in inputs]
        return
    ssh = machine.ssh
    made = ssh.run(["mktemp", "-d", f"{PLACE}.XXXXXXXX"], timeout_s=SETUP_S).stdout.strip()
    try:
        names = {n: f"{n}-{Path(one.text).name}" for n, one in here.items()}
        put_files(ssh, ((Path(here[n].text), names[n]) for n in here), made)
        yield [f"{made}/{names[n]}" if n in here else one.text for n, one in enumerate(inputs)]
    finally:
        with suppress(DsvmError):
            ssh.run(["rm", "-rf", made], timeout_s=SETUP_S, check=False)
