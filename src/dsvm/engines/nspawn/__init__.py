"""Engine `nspawn`: the machine's own init in namespaces of the host's kernel, at native speed.

Needs root. The disk is the same qcow2 that a virtual machine boots; systemd-nspawn reaches it by a
storage daemon's FUSE export and a loop mount. See `supervisor` for how a machine lives and dies.
"""

from __future__ import annotations

from dsvm.engines.nspawn.engine import NspawnEngine

ENGINE = NspawnEngine
