"""An app is served; a session on its websocket changes its number, and sees its sum and figure."""

import base64
import json
import os
import re
import secrets
import socket
import struct
import sys
import time
from pathlib import Path

import dsvm_check

APP = Path(os.environ["DSVM_SAMPLES"]) / "app.R"
ANSWER_S = 60


class Session:
    """What the page's own script does: RFC 6455, text alone, in small frames."""

    def __init__(self, port):
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        self.reader = self.stream.makefile("rb")
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = [
            *("GET /websocket/ HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: Upgrade"),
            *("Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"),
        ]
        self.stream.sendall("\r\n".join([*lines, "", ""]).encode())
        status = self.reader.readline().decode()
        assert " 101 " in status, f"its websocket answers {status.strip()}"
        while self.reader.readline().strip():
            pass

    def send(self, method, **inputs):
        text = json.dumps({"method": method, "data": inputs}).encode()
        mask = secrets.token_bytes(4)
        hidden = bytes(byte ^ mask[place % 4] for place, byte in enumerate(text))
        self.stream.sendall(struct.pack("!BBH", 0x81, 0x80 | 126, len(text)) + mask + hidden)

    def receive(self):
        kind, length = self.reader.read(2)
        if kind & 0x0F != 1:
            said = Path("server.log").read_text().strip()[-500:]
            sys.exit(f"the app ended the session; the server said: {said}")
        if length > 125:
            length = int.from_bytes(self.reader.read(2 if length == 126 else 8), "big")
        return self.reader.read(length).decode()

    def outputs(self):
        """The page's outputs once the app has nothing more to do."""
        found = {}
        while True:
            told = json.loads(self.receive())
            if told.get("errors"):
                sys.exit(f"the app fails: {told['errors']}")
            found |= told.get("values") or {}
            if len(found) == 2:
                return found


def figure(outputs):
    """The picture, whose first chunk tells its width and height."""
    picture = base64.b64decode(outputs["figure"]["src"].partition(",")[2])
    size = struct.unpack("!II", picture[16:24])
    assert picture[:8] == b"\x89PNG\r\n\x1a\n", f"its figure begins {picture[:8]}"
    assert size == (300, 200), f"its figure has the size {size}"
    return picture


port = dsvm_check.free_port()
base = f"http://127.0.0.1:{port}"
start = time.perf_counter()
serve = f"shiny::runApp('{APP}', port = {port}, host = '127.0.0.1', launch.browser = FALSE)"
with dsvm_check.server(["/usr/bin/Rscript", "--vanilla", "-e", serve], base):
    started = time.perf_counter() - start
    page = dsvm_check.fetch(base).decode()
    assert "<h2>Sums</h2>" in page, f"its page begins {page[:200]!r}"
    for script in re.findall(r'<script src="([^"]+)"', page):
        assert dsvm_check.fetch(f"{base}/{script}"), f"{script} is empty"
    session = Session(port)
    shown = {f".clientdata_output_{name}_hidden": False for name in ("total", "figure")}
    size = {".clientdata_output_figure_width": 300, ".clientdata_output_figure_height": 200}
    session.send("init", **{"n:shiny.number": 10, ".clientdata_pixelratio": 1, **shown, **size})
    first = session.outputs()
    session.send("update", **{"n:shiny.number": 100})
    second = session.outputs()
assert first["total"] == "The sum is 55", f"up to 10 the app says {first['total']}"
assert second["total"] == "The sum is 5050", f"up to 100 the app says {second['total']}"
assert figure(first) != figure(second), "its figure is the same for another number"
Path("figure.png").write_bytes(figure(first))
version = dsvm_check.say(["/usr/bin/Rscript", "-e", "cat(format(packageVersion('shiny')))"])
dsvm_check.passed(start_s=round(started, 1), versions={"shiny": version})
