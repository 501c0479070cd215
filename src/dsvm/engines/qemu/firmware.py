"""The UEFI firmware for x86-64, wherever this host's system keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PACKAGE = "ovmf"
FOLDERS = (
    ("/usr/share/OVMF", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),  # Debian, Ubuntu
    ("/usr/share/edk2/ovmf", "OVMF_CODE.fd", "OVMF_VARS.fd"),  # Fedora
    ("/usr/share/edk2/x64", "OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"),  # Arch
    ("/opt/homebrew/share/qemu", "edk2-x86_64-code.fd", "edk2-i386-vars.fd"),  # Homebrew
    ("/usr/local/share/qemu", "edk2-x86_64-code.fd", "edk2-i386-vars.fd"),
)
DEBIAN = f"{FOLDERS[0][0]}/{FOLDERS[0][1]}"


@dataclass(frozen=True)
class Firmware:
    """The code is shared and read-only; each machine has a copy of the variables."""

    code: Path
    variables: Path


def find() -> Firmware | None:
    """The first that is there, without Secure Boot: the machine's boot loader is not signed."""
    for folder, code, variables in FOLDERS:
        found = Firmware(Path(folder, code), Path(folder, variables))
        if found.code.exists() and found.variables.exists():
            return found
    return None
