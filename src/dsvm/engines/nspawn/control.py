"""How the engine speaks with a running supervisor: one JSON request, one JSON answer.

The socket lies in the machine's own folder, which only its owner may enter.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from dsvm.engines.base import AttachedLayer
from dsvm.engines.nspawn.plan import layers_from
from dsvm.engines.sockets import reachable
from dsvm.errors import DsvmError

ANSWER_TIMEOUT_S = 60.0
READ_TIMEOUT_S = 5.0
LIMIT = 1 << 20


@dataclass(frozen=True)
class Request:
    """`stop_in`: power off, kill after so many seconds. `attach`: layers to make visible.
    `overlay`: the qcow2 in which the disk goes on. `root_bytes`: what the root file system shall
    have."""

    stop_in: float | None = None
    attach: tuple[AttachedLayer, ...] = ()
    overlay: Path | None = None
    root_bytes: int | None = None


def ask(place: Path, request: Request) -> None:
    """Send a request and wait for its answer.

    Raises `DsvmError` as the supervisor did, `OSError` when no supervisor listens or understands.
    """
    with socket.socket(socket.AF_UNIX) as connection, reachable(place) as path:
        connection.settimeout(ANSWER_TIMEOUT_S)
        connection.connect(path)
        connection.sendall(message(request))
        connection.shutdown(socket.SHUT_WR)
        said = _read_all(connection)
    if not said:
        raise ConnectionResetError("the supervisor did not understand, or ended")
    answer = json.loads(said)
    if "error" in answer:
        raise error_from(answer["error"])


def message(request: Request) -> bytes:
    """A request as it crosses to the supervisor."""
    data = asdict(request)
    if request.root_bytes is not None:  # a supervisor that knows nothing of it shall not nod
        del data["stop_in"]
    return json.dumps(data, default=str).encode()


def error_data(error: DsvmError) -> dict[str, str | None]:
    """An error as it crosses to the process that asked."""
    log = str(error.log) if error.log else None
    return {"what": error.what, "cause": error.cause, "remedy": error.remedy, "log": log}


def error_from(data: dict[str, str | None]) -> DsvmError:
    log = data["log"]
    return DsvmError(
        data["what"] or "",
        cause=data["cause"],
        remedy=data["remedy"],
        log=Path(log) if log else None,
    )


class Listener:
    """The supervisor's end."""

    def __init__(self, place: Path) -> None:
        place.unlink(missing_ok=True)
        self._place = place
        self._socket = socket.socket(socket.AF_UNIX)
        with reachable(place) as path:
            self._socket.bind(path)
        place.chmod(0o600)
        self._socket.listen()

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        self._place.unlink(missing_ok=True)

    def fileno(self) -> int:
        return self._socket.fileno()

    def answer_one(self, do: Callable[[Request], None]) -> None:
        """Take one request, do it, answer. A client that goes away is no fault."""
        connection, _ = self._socket.accept()
        with connection, suppress(OSError, ValueError, KeyError):
            connection.settimeout(READ_TIMEOUT_S)
            asked = json.loads(_read_all(connection))
            overlay = Path(asked["overlay"]) if asked.get("overlay") else None
            length = asked.get("root_bytes")
            stop_in = asked["stop_in"] if length is None else None
            request = Request(stop_in, layers_from(asked["attach"]), overlay, length)
            connection.sendall(json.dumps(_outcome(do, request)).encode())


def _outcome(do: Callable[[Request], None], request: Request) -> dict[str, object]:
    try:
        do(request)
    except DsvmError as failed:
        return {"error": error_data(failed)}
    except OSError as failed:
        wrapped = DsvmError("the running machine could not do it", cause=str(failed))
        return {"error": error_data(wrapped)}
    return {}


def _read_all(connection: socket.socket) -> str:
    parts: list[bytes] = []
    while (part := connection.recv(65536)) and sum(map(len, parts)) < LIMIT:
        parts.append(part)
    return b"".join(parts).decode()
