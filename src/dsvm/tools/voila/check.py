"""A notebook is served as a page; it is run for the visitor, and its figure is in the page."""

import base64
import json
import os
import re
import sys
import time
from pathlib import Path

import dsvm_check
import dsvm_picture
import voila

dsvm_check.lives_in("apps")
NOTEBOOK = Path(os.environ["DSVM_SAMPLES"]) / "halves.ipynb"
port = dsvm_check.free_port()
base = f"http://127.0.0.1:{port}"
start = time.perf_counter()
with dsvm_check.server(
    [
        *(f"{sys.prefix}/bin/voila", str(NOTEBOOK), "--no-browser", "--Voila.ip=127.0.0.1"),
        *(f"--port={port}", f"--Voila.connection_dir_root={Path.cwd()}"),
    ],
    f"{base}/voila/static/voila.js",
):
    started = time.perf_counter() - start
    page = dsvm_check.fetch(base, timeout_s=60).decode()
assert "Two halves" in page, f"its page begins {page[:200]!r}"
assert "The sum is 55" in page, f"the page lacks the sum; it ends {page[-500:]!r}"
assert "sum(range(11))" not in page, "the page shows the code, which readers need not see"
# The page brings its outputs as JSON, by type, and shows them in the browser.
shown = re.search(r'"image/png": ("[^"]+")', page)
assert shown, "the page shows no figure"
picture = base64.b64decode(json.loads(shown.group(1)))
dsvm_picture.shows_halves(picture, (255, 0, 0), (0, 0, 255))
dsvm_check.passed(
    start_s=round(started, 1), figure_bytes=len(picture), versions={"voila": voila.__version__}
)
