"""An app is served; a browser's session sees its words and its figure, pixel by pixel.

The page talks to its server in protocol buffers over a websocket, and fetches pictures by HTTP.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import dsvm_check
import dsvm_picture
import streamlit
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from tornado.websocket import websocket_connect

dsvm_check.lives_in("apps")
APP = Path(os.environ["DSVM_SAMPLES"]) / "app.py"
ANSWER_S = 60


async def session(address):
    """What the app puts on the page in one run: its texts, and the addresses of its pictures."""
    page = await websocket_connect(address, subprotocols=["streamlit"])
    hello = BackMsg()
    hello.rerun_script.query_string = ""
    await page.write_message(hello.SerializeToString(), binary=True)
    texts, pictures = [], []
    while True:
        message = ForwardMsg()
        message.ParseFromString(await page.read_message())
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            sys.exit(f"the app fails: {element.exception.message}")
        if kind == "markdown":
            texts.append(element.markdown.body)
        if kind == "imgs":
            pictures += [picture.url for picture in element.imgs.imgs]
        if message.WhichOneof("type") == "script_finished":
            fetched = [dsvm_check.fetch(f"{base}{url}") for url in pictures]
            page.close()
            return texts, fetched


port = dsvm_check.free_port()
base = f"http://127.0.0.1:{port}"
start = time.perf_counter()
with dsvm_check.server(
    [
        *(sys.executable, "-m", "streamlit", "run", str(APP), "--server.headless", "true"),
        *("--server.address", "127.0.0.1", "--server.port", str(port)),
        *("--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"),
    ],
    f"{base}/_stcore/health",
):
    started = time.perf_counter() - start
    page = dsvm_check.fetch(base).decode()
    assert "<title>Streamlit</title>" in page, f"its page begins {page[:200]!r}"
    talk = session(f"ws://127.0.0.1:{port}/_stcore/stream")
    texts, pictures = asyncio.run(asyncio.wait_for(talk, ANSWER_S))
assert "The sum is 55" in texts, f"the app says {texts}"
assert len(pictures) == 1, "the app shows no figure" if not pictures else "it shows too many"
dsvm_picture.shows_halves(pictures[0], (255, 0, 0), (0, 0, 255))
dsvm_check.passed(
    start_s=round(started, 1),
    figure_bytes=len(pictures[0]),
    versions={"streamlit": streamlit.__version__},
)
