"""In a browser, signed in: the curve of a run that was logged is drawn, and ends where it did."""

import itertools
import os
import shutil
import time
from pathlib import Path

import dsvm_browser
import dsvm_check

dsvm_check.lives_in("browser")
LOG = ["/opt/dsvm/envs/mlops/bin/python", f"{os.environ['DSVM_SAMPLES']}/log.py"]
# A run of its own: a person's runs stay.
run = f"dsvm-check-{os.getpid()}"
folder = Path.home() / "runs" / run
dsvm_check.say([*LOG, str(folder)])
try:
    with dsvm_browser.page(dsvm_check.address("tensorboard")) as page:
        home = dsvm_check.address("tensorboard", "/")
        late = time.monotonic() + 60
        # It looks for new runs every few seconds, and its page does not.
        while run not in page.request.get(f"{home}data/runs").json():
            assert time.monotonic() < late, f"it does not find the run {run}"
            time.sleep(0.2)
        start = time.perf_counter()
        page.goto(f"{home}?runFilter={run}&tagFilter=halving#timeseries")
        # Below the curve stands a table of where each run is at its last step.
        card = page.locator("card-view").first
        card.get_by_text("Smoothed").wait_for()
        shown = card.inner_text().split()
        took = time.perf_counter() - start
finally:
    shutil.rmtree(folder)
there = list(itertools.pairwise(shown))
assert ("0.0625", "4") in there, f"the last value is 0.0625 at step 4; the page shows {shown}"
dsvm_check.passed(seconds=round(took, 1))
