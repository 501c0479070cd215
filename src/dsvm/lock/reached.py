"""The fault that lets another origin be tried."""

from __future__ import annotations

from dsvm.errors import DsvmError


class NotReached(DsvmError):
    """Nothing answers at an origin, or nothing of use; `what` names its address and the reason."""
