"""Engine `qemu`: a virtual machine, by KVM or HVF where a virtual CPU really runs, else emulated.

Needs no root. It boots the same disk that `nspawn` runs, by UEFI. One QEMU process is the machine;
see `places` for what it keeps, `probe` for what makes it usable.
"""

from __future__ import annotations

from dsvm.engines.qemu.engine import QemuEngine

ENGINE = QemuEngine
