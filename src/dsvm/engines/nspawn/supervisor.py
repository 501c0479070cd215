"""The one process by whose death a machine dies: `python -m dsvm.engines.nspawn.supervisor`.

    outer   keeps the lock, waits, removes the control groups at the end
      inner     process 1 of its own pid and mount namespaces (`dsvm.engines.nspawn.inner`)
        qemu-storage-daemon, pasta, systemd-nspawn and the whole machine

The kernel kills inner with outer, and everything in the pid namespace with inner; then the mount
namespace ends, and with it mounts and loop devices. Nothing of it was ever visible outside.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from dsvm import linux
from dsvm.engines.nspawn import held
from dsvm.engines.nspawn.cgroups import Cgroup, own_group
from dsvm.engines.nspawn.control import error_data
from dsvm.engines.nspawn.inner import Run, run_machine
from dsvm.engines.nspawn.plan import Places, State, read_plan
from dsvm.errors import DsvmError

LOCK_WAIT_S = 1.0


def main(plan_file: Path, ready: Ready) -> int:
    """Run one machine to its end; tell `ready` how its start went, as JSON."""
    plan = read_plan(plan_file)
    places = Places(plan.machine.folder)
    if held.take(places, LOCK_WAIT_S) is None:
        ready.fail(DsvmError(f"machine `{plan.machine.name}` is running already"))
        return 1
    places.state.unlink(missing_ok=True)
    scope = own_group() if plan.scope else None
    cgroup = Cgroup(places.unit, scope=scope)
    state = State(os.getpid(), time.time(), (), plan.uid_base, scope)
    cgroup.enter()
    try:
        return _outer(Run(plan, places, cgroup, state), ready)
    finally:
        places.state.unlink(missing_ok=True)
        cgroup.remove()


def _outer(run: Run, ready: Ready) -> int:
    alive_r, alive_w = os.pipe()
    linux.unshare(linux.CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        os.close(alive_w)
        _inner(run, ready, alive_r)
    os.close(alive_r)
    ready.close()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: _ask_to_end(child))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _ask_to_end(child: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(child, signal.SIGTERM)


def _inner(run: Run, ready: Ready, alive: int) -> None:
    status = 1
    try:
        linux.die_with_parent()
        # Outer died between fork and the line above: nobody is left at the pipe's other end.
        os.set_blocking(alive, False)
        with suppress(BlockingIOError):
            if os.read(alive, 1) == b"":
                os._exit(1)
        status = run_machine(run, ready.answer)
    except DsvmError as failed:
        ready.fail(failed)
    except OSError as failed:
        name = run.plan.machine.name
        ready.fail(DsvmError(f"machine `{name}` did not start", cause=str(failed)))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


class Ready:
    """The pipe to the process that started the machine; it waits for one answer."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def answer(self, data: object) -> None:
        """The first answer counts; later ones have no reader."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.write(self._descriptor, json.dumps(data).encode())
            self.close()

    def fail(self, error: DsvmError) -> None:
        print(error, file=sys.stderr, flush=True)
        self.answer({"error": error_data(error)})

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Ready(int(sys.argv[2]))))
