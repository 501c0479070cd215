"""In a browser, signed in: a notebook is a page; what is typed into it comes back computed."""

import os
import shutil
import time
from pathlib import Path

import dsvm_browser
import dsvm_check

dsvm_check.lives_in("browser")
# A notebook of this check alone, beside a person's.
book = Path.home() / "voila" / f"dsvm-check-{os.getpid()}.ipynb"
book.parent.mkdir(exist_ok=True)
shutil.copy(f"{os.environ['DSVM_SAMPLES']}/sums.ipynb", book)
try:
    start = time.perf_counter()
    way = f"/dsvm-signin/{{token}}/voila/render/{book.name}"
    with dsvm_browser.page(dsvm_check.address("voila", way)) as page:
        page.get_by_text("The sum is 55").wait_for()
        page.get_by_role("spinbutton").fill("100")
        page.keyboard.press("Enter")
        page.get_by_text("The sum is 5050").wait_for()
        code = page.get_by_text("sum(range").count()
        took = time.perf_counter() - start
finally:
    book.unlink()
assert code == 0, "the page shows the code, which readers need not see"
dsvm_check.passed(seconds=round(took, 1))
