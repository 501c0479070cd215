"""In a browser: the person's app opens signed in; in another, a choice is painted and counted."""

import os
import time
from pathlib import Path

import dsvm_browser
import dsvm_check

dsvm_check.lives_in("browser")
PYTHON = "/opt/dsvm/envs/apps/bin/python"
with dsvm_browser.page(dsvm_check.address("gradio")) as page:
    page.get_by_role("button", name="Settings").wait_for()
port = dsvm_check.free_port()
base = f"http://127.0.0.1:{port}"
app = [PYTHON, f"{os.environ['DSVM_SAMPLES']}/app.py", str(port)]
quiet = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(Path.cwd() / "pictures")}
with dsvm_check.server(app, f"{base}/config", env=quiet):
    start = time.perf_counter()
    with dsvm_browser.page(base) as page:
        for label, colour in (("left", "lime"), ("right", "blue")):
            page.get_by_label(label).click()
            page.get_by_role("option", name=colour).click()
            # A list that is about to close would be taken for the next one's.
            page.get_by_role("option").first.wait_for(state="detached")
        page.get_by_role("button", name="Submit").click()
        picture = page.locator("img[src*='gradio_api/file']")
        picture.wait_for()
        letters = page.locator("input[type=number]").input_value()
        took = time.perf_counter() - start
assert letters == "8", f"of lime and blue the page counts {letters} letters, not 8"
dsvm_check.passed(seconds=round(took, 1))
