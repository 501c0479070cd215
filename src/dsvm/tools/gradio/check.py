"""An app is served; asked over HTTP it paints the figure that was asked for."""

import json
import os
import sys
import time
from pathlib import Path

import dsvm_check
import dsvm_picture
import gradio

dsvm_check.lives_in("apps")
APP = Path(os.environ["DSVM_SAMPLES"]) / "app.py"
port = dsvm_check.free_port()
base = f"http://127.0.0.1:{port}"
# It would ask its maker for newer versions and tell of its use; and its pictures go here.
quiet = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(Path.cwd() / "pictures")}
start = time.perf_counter()
with dsvm_check.server([sys.executable, str(APP), str(port)], f"{base}/config", env=quiet):
    started = time.perf_counter() - start
    page = dsvm_check.fetch(base).decode()
    assert "Two halves" in page, f"its page begins {page[:200]!r}"
    call = f"{base}/gradio_api/call/paint"
    event = dsvm_check.fetch_json(call, {"data": ["lime", "blue"]})["event_id"]
    said = dsvm_check.fetch(f"{call}/{event}").decode()
    lines = said.splitlines()
    assert "event: complete" in lines, f"the app answers {said[-500:]}"
    data = [line for line in lines if line.startswith("data: ")]
    shown, letters = json.loads(data[-1].removeprefix("data: "))
    assert letters == 8, f"of lime and blue it counts {letters} letters, not 8"
    assert shown, "the app shows no figure"
    picture = dsvm_check.fetch(f"{base}/gradio_api/file={shown['path']}")
dsvm_picture.shows_halves(picture, (0, 255, 0), (0, 0, 255))
dsvm_check.passed(
    start_s=round(started, 1), figure_bytes=len(picture), versions={"gradio": gradio.__version__}
)
