"""Cells on a kernel of the machine, as in a notebook: `with dsvm_kernel.started("ir") as cell:`.

It needs jupyter-client, which every environment that is a kernel has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

START_S = 90
ANSWER_S = 90
Cell = Callable[[str], str]


class Refused(Exception):
    """The kernel answers a cell with an error."""


@contextmanager
def started(name: str) -> Iterator[Cell]:
    """A kernel until the block ends; called with code it gives what the cell says.

    A cell that raises raises `Refused`; that ends the check unless it is expected.
    """
    os.environ["IPYTHONDIR"] = str(Path.cwd())  # its history is a person's
    manager, client = start_new_kernel(kernel_name=name, startup_timeout=START_S)

    def cell(code: str) -> str:
        said: list[str] = []

        def told(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] == "execute_result":
                said.append(content["data"].get("text/plain", ""))

        reply = client.execute_interactive(code, output_hook=told, timeout=ANSWER_S)["content"]
        if reply["status"] != "ok":
            what = f"{reply['ename']}: {reply['evalue']}"
            raise Refused(f"the cell `{code.splitlines()[-1]}` raises {what}")
        return "".join(said)

    try:
        yield cell
    except Refused as refused:
        sys.exit(str(refused))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
