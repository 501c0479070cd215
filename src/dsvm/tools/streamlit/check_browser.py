"""In a browser, signed in: a page beside the person's app is shown; its slider changes its sum."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import dsvm_browser
import dsvm_check

dsvm_check.lives_in("browser")
# A page of this check alone: a person's app stays.
pages = Path.home() / "streamlit" / "pages"
page_file = pages / f"dsvm_check_{os.getpid()}.py"
pages.mkdir(parents=True, exist_ok=True)
shutil.copy(f"{os.environ['DSVM_SAMPLES']}/app.py", page_file)
try:
    start = time.perf_counter()
    way = f"/dsvm-signin/{{token}}/{page_file.stem}"
    with dsvm_browser.page(dsvm_check.address("streamlit", way)) as page:
        page.get_by_text("The sum is 55").wait_for()
        page.get_by_role("slider").press("ArrowRight")
        page.get_by_text("The sum is 66").wait_for()
        took = time.perf_counter() - start
        figure = page.locator("img").first
        figure.scroll_into_view_if_needed()
        natural = figure.evaluate("image => [image.naturalWidth, image.naturalHeight]")
finally:
    page_file.unlink()
    with suppress(OSError):  # a person has pages, too
        pages.rmdir()
assert natural == [200, 100], f"its figure is {natural[0]} x {natural[1]}"
dsvm_check.passed(seconds=round(took, 1))
