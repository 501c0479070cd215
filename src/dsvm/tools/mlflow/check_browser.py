"""In a browser, signed in: a run that a program logged is shown, with its metric and parameter."""

import itertools
import os
import time

import dsvm_browser
import dsvm_check

dsvm_check.lives_in("browser")
LOG = ["/opt/dsvm/envs/mlops/bin/python", f"{os.environ['DSVM_SAMPLES']}/log.py"]
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
# An experiment of its own, which is gone at the end.
name = f"dsvm-check-{os.getpid()}"
with dsvm_browser.page(dsvm_check.address("mlflow")) as page:
    said = dsvm_check.say([*LOG, name], env=QUIET)
    experiment, run = said.split()[-2:]
    try:
        start = time.perf_counter()
        home = page.url.partition("#")[0]
        page.goto(f"{home}#/experiments/{experiment}/runs/{run}")
        page.get_by_text("Metrics (1)").wait_for()
        shown = page.locator("body").inner_text().split()
        took = time.perf_counter() - start
    finally:
        dsvm_check.say([*LOG, name, experiment], env=QUIET)
pairs = list(itertools.pairwise(shown))
for pair in (("loss", "0.25"), ("rows", "178"), ("Status", "Finished"), ("ID", run)):
    assert pair in pairs, f"{' '.join(pair)} was logged; the page shows {' '.join(shown)}"
dsvm_check.passed(seconds=round(took, 1))
