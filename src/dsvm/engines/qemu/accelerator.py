"""What runs a machine's virtual CPUs, and whether it really does so on this host."""

from __future__ import annotations

import logging
import os
import platform
import selectors
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from dsvm.engines.qemu.firmware import Firmware

TRIAL_TIMEOUT_S = 60.0
"""The firmware speaks after 1 s with KVM and after 3 to 8 s when emulated."""
# It clears the screen of its terminal before it writes.
FIRMWARE_SPEAKS = b"\x1b["
MEMORY_MIB = 256


@dataclass(frozen=True)
class Accelerator:
    """`patience`: by what to multiply the time that anything may take (emulation was measured
    at 10 to 20 times slower than native speed)."""

    name: str
    argv: tuple[str, ...]
    patience: float


# The same processor as the machine's: a host may run the simplest one and abort at a real one.
KVM = Accelerator("kvm", ("-accel", "kvm", "-cpu", "host"), 1.0)
HVF = Accelerator("hvf", ("-accel", "hvf", "-cpu", "host"), 1.0)
EMULATION = Accelerator("emulation", ("-accel", "tcg,thread=multi", "-cpu", "max"), 15.0)
ALL = (KVM, HVF, EMULATION)


def candidates(system: str, machine: str) -> tuple[Accelerator, ...]:
    """What could run an x86-64 machine on such a host, the best first."""
    native = machine in ("x86_64", "AMD64")
    if system == "Linux" and native:
        return (KVM, EMULATION)
    if system == "Darwin" and native:
        return (HVF, EMULATION)
    return (EMULATION,)


def here() -> tuple[Accelerator, ...]:
    return candidates(platform.system(), platform.machine())


def refusal(accelerator: Accelerator) -> str | None:
    """Why it cannot even be tried; None when it can."""
    device = Path("/dev/kvm")
    if accelerator is KVM and not device.exists():
        return "there is no /dev/kvm"
    if accelerator is KVM and not os.access(device, os.R_OK | os.W_OK):
        return "/dev/kvm is not yours to use"
    return None


def fault(program: str, accelerator: Accelerator, firmware: Firmware) -> str | None:
    """Run the UEFI firmware on two virtual CPUs until it speaks; None when it did, else why not.

    A device that opens proves nothing: there are hosts where a virtual CPU then hangs, or where
    QEMU aborts once it has to set the registers of a real processor.
    """
    argv = [program, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35"]
    argv += [*accelerator.argv, "-smp", "2", "-m", f"{MEMORY_MIB}M", "-net", "none"]
    argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={firmware.code}"]
    argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={firmware.variables}"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*argv, "-serial", "stdio"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            spoke = _speaks(process)
        finally:
            process.kill()
            process.communicate()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    if spoke:
        return None
    if said:
        logging.getLogger(__name__).info("%s: %s", accelerator.name, said[-1])
    return "a virtual CPU did not run"


def _speaks(process: subprocess.Popen[bytes]) -> bool:
    """Whether the firmware writes something before QEMU ends or the time is up."""
    said = b""
    deadline = time.monotonic() + TRIAL_TIMEOUT_S
    with selectors.DefaultSelector() as events:
        assert process.stdout is not None
        events.register(process.stdout, selectors.EVENT_READ)
        while events.select(max(0.0, deadline - time.monotonic())):
            part = os.read(process.stdout.fileno(), 65536)
            if not part:
                return False
            said += part
            if FIRMWARE_SPEAKS in said:
                return True
    return False
