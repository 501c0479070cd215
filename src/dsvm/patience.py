"""How long dsvm waits for a network.

`DSVM_PATIENCE` multiplies every limit that a mirror, an index or a registry has to answer in:
4 on a slow network, 0.1 where nobody wants to wait. Limits of a machine are not among them.
"""

from __future__ import annotations

import math
import os

from dsvm.errors import UsageError

VARIABLE = "DSVM_PATIENCE"
LONGER = f"{VARIABLE}=4 waits four times as long on a slow network"


def patience() -> float:
    """The factor, 1 unless the variable says otherwise. Raises `UsageError`."""
    text = os.environ.get(VARIABLE, "").strip() or "1"
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise UsageError(
            f"{VARIABLE}={text} is no number above 0",
            remedy=f"{LONGER}; unset it for the usual limits",
        )
    return factor


def patient(seconds: float) -> float:
    """So many seconds, times the factor. Raises `UsageError`."""
    return seconds * patience()
