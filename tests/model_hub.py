"""A model hub on the loopback: what Hugging Face's client asks of one, and a small real model.

Large files are redirected to another address, as there (`X-Linked-Etag`, `X-Linked-Size`).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

REPOSITORY = "tests/doubling"
REVISION = "5" * 40
MODEL = "model.onnx"


@dataclass
class ModelHub:
    """`asked` are the (path, first byte) of each GET of a file's content; `cuts` says for a path
    after how many bytes its first answer breaks off."""

    files: Mapping[str, bytes]
    repository: str = REPOSITORY
    revision: str = REVISION
    cuts: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    address: str = ""

    @property
    def digests(self) -> dict[str, str]:
        return {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()}

    @contextmanager
    def serving(self) -> Iterator[ModelHub]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                _answer(self, hub)

            def do_GET(self) -> None:
                _answer(self, hub)

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            self.address = f"http://127.0.0.1:{server.server_address[1]}"
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


def _answer(request: BaseHTTPRequestHandler, hub: ModelHub) -> None:
    path = urlsplit(request.path).path
    resolved = f"/{hub.repository}/resolve/{hub.revision}/"
    name = path.removeprefix(resolved).removeprefix("/content/")
    if name not in hub.files:
        request.send_response(404)
        request.send_header("X-Error-Code", "EntryNotFound")
        request.send_header("Content-Length", "0")
        request.end_headers()
    elif path.startswith(resolved):
        data = hub.files[name]
        request.send_response(302)
        # Another host, as there: to its own the client goes on with the question.
        elsewhere = hub.address.replace("127.0.0.1", "localhost")
        request.send_header("Location", f"{elsewhere}/content/{name}")
        request.send_header("X-Repo-Commit", hub.revision)
        request.send_header("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')
        request.send_header("X-Linked-Size", str(len(data)))
        request.send_header("Content-Length", "0")
        request.end_headers()
    else:
        _content(request, hub, name)


def _content(request: BaseHTTPRequestHandler, hub: ModelHub, name: str) -> None:
    data = hub.files[name]
    wanted = request.headers.get("Range", "")
    first = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
    request.send_response(206 if wanted else 200)
    if wanted:
        request.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
    request.send_header("Content-Length", str(len(data) - first))
    request.send_header("Accept-Ranges", "bytes")
    request.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
    request.end_headers()
    if request.command == "HEAD":
        return
    hub.asked.append((name, first))
    end = hub.cuts.pop(name, len(data))
    request.wfile.write(data[first:end])
    if end < len(data):
        request.close_connection = True
        request.connection.close()


def doubling_model() -> dict[str, bytes]:
    """An ONNX model that doubles a row of three numbers, with its known answer, as files."""
    node = helper.make_node("Add", ["x", "x"], ["y"])
    row = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 3]) for n in ("x", "y")]
    graph = helper.make_graph([node], "doubling", row[:1], row[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    given = np.array([[1.0, 2.5, -4.0]], np.float32)
    return {
        MODEL: model.SerializeToString(),
        "test_data_set_0/input_0.pb": numpy_helper.from_array(given, "x").SerializeToString(),
        "test_data_set_0/output_0.pb": numpy_helper.from_array(2 * given, "y").SerializeToString(),
    }
