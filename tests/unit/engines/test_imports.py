"""What every start and every `ls` loads is small."""

from __future__ import annotations

import subprocess
import sys

ASK = """
import sys
import dsvm.engines.nspawn.supervisor
from dsvm.engines import all_engines
all_engines()
print("asyncio" in sys.modules)
from dsvm.engines.qmp import Unreachable, ask
try:
    ask(__import__("pathlib").Path("/nowhere/qmp"))
except Unreachable:
    print("asyncio" in sys.modules)
"""


def test_only_who_asks_a_monitor_pays_for_its_library() -> None:
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)

    assert told.stdout.split() == ["False", "True"]
