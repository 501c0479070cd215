"""What `apply` made of the seed: written to /run/dsvm/state.json and the login message."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from dsvm.guest.places import MOTD, STATE
from dsvm.guest.system import GuestError, write


@dataclass(frozen=True)
class EnvironmentState:
    """One environment. `variant` is None when it could not be mounted; `error` says why.

    `reason`: why this build of several; empty where there is one.
    """

    name: str
    python: str
    mountpoint: str
    variant: str | None
    device: str | None
    layer: str | None
    reason: str
    set_aside: str = ""
    error: str | None = None

    def line(self) -> str:
        """The environment's line of the login message."""
        if self.error:
            return f"{self.name}: FAILED, {self.error}"
        more = "; ".join(part for part in (self.reason, self.set_aside) if part)
        told = f"{self.name}: Python {self.python}, {self.variant}"
        return f"{told} ({more})" if more else told


@dataclass
class Outcome:
    """Collects what happened; nothing of the seed's secrets enters it.

    `guest` is the digest of the guest's files, of which this code is one.
    """

    name: str = ""
    login: str = ""
    image: str = ""
    guest: str = ""
    accelerator: str = "cpu"
    environments: list[EnvironmentState] = field(default_factory=list)
    apps: dict[str, int] = field(default_factory=dict)
    units: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def save(self) -> None:
        """Write the state (for programs) and the login message (for people)."""
        state = {
            "version": 1,
            "at": time.time(),
            **asdict(self),
            "environments": {one.name: asdict(one) for one in self.environments},
        }
        write(STATE, json.dumps(state, indent=1) + "\n")
        write(MOTD, self.message())

    def message(self) -> str:
        """The login message: the machine, one line an environment, what went wrong."""
        lines = [f"dsvm machine {self.name}", *(f"  {one.line()}" for one in self.environments)]
        lines += [f"  note: {note}" for note in self.notes]
        told = {f"environment {one.name}: {one.error}" for one in self.environments}
        lines += [f"  ERROR: {error}" for error in self.errors if error not in told]
        return "\n".join(lines) + "\n"


def state() -> dict[str, object]:
    """The last outcome; raises `GuestError` when `apply` has not run since the start."""
    try:
        loaded = json.loads(STATE.read_text())
    except (OSError, ValueError) as missing:
        raise GuestError(f"the machine has not been set up since it started: {missing}") from None
    assert isinstance(loaded, dict)
    return loaded


def environments() -> dict[str, dict[str, Any]]:
    """By name, each with the fields of `EnvironmentState`; raises `GuestError` as `state`."""
    found = state()["environments"]
    assert isinstance(found, dict)
    return found
