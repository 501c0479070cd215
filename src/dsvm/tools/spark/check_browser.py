"""In a browser: the page of a running session shows a job that it has done, and its stage."""

import os
import re
import time
from pathlib import Path

import dsvm_browser
import dsvm_check

dsvm_check.lives_in("browser")
PYTHON = "/opt/dsvm/envs/spark/bin/python"
port = dsvm_check.free_port()
base = f"http://127.0.0.1:{port}"
own = {"SPARK_LOCAL_DIRS": str(Path.cwd() / "spill"), "SPARK_LOCAL_IP": "127.0.0.1"}
work = [PYTHON, f"{os.environ['DSVM_SAMPLES']}/counting.py", str(port)]
with dsvm_check.server(work, f"{base}/api/v1/applications", env=own):
    start = time.perf_counter()
    with dsvm_browser.page(f"{base}/jobs/") as page:
        late = time.monotonic() + 60
        while page.get_by_text("Completed Jobs (1)").count() == 0:
            assert time.monotonic() < late, f"the page shows {page.locator('body').inner_text()}"
            page.wait_for_timeout(500)
            page.reload()
        page.get_by_role("link", name=re.compile("^sum at ")).first.click()
        page.get_by_text("Details for Job 0").wait_for()
        shown = page.locator("body").inner_text()
        took = time.perf_counter() - start
assert "dsvm counts" in shown, f"the page shows another job: {shown[:500]}"
assert re.search(r"Status:\s+SUCCEEDED", shown), f"the page shows {shown[:500]}"
assert "4/4" in shown, f"the stage had 4 tasks; the page shows {shown[-500:]}"
dsvm_check.passed(seconds=round(took, 1))
