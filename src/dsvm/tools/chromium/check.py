"""A page is drawn, pixel by pixel; a click runs its script, which fetches; all in the sandbox."""

import os
import sys
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler

import dsvm_browser
import dsvm_check
import dsvm_picture
from playwright.sync_api import TimeoutError as Late

dsvm_check.lives_in("browser")
SAMPLES = os.environ["DSVM_SAMPLES"]


class Quiet(SimpleHTTPRequestHandler):
    """Serves the samples, and tells nobody of it."""

    def log_message(self, *_words):
        pass


with dsvm_browser.page("chrome://sandbox") as page:
    page.get_by_text("sandboxed").first.wait_for()
    told = page.locator("body").inner_text()
assert "You are adequately sandboxed" in told, f"the browser is not sandboxed: {told[-300:]}"
start = time.perf_counter()
with dsvm_check.answering(partial(Quiet, directory=SAMPLES)) as base:
    with dsvm_browser.page(f"{base}/page.html", wide=400, high=300) as page:
        shown_s = time.perf_counter() - start
        version = page.context.browser.version
        assert page.title() == "Two halves", f"the title is {page.title()!r}"
        halves = page.locator("#halves").screenshot()
        page.get_by_role("button", name="Sum up").click()
        try:
            page.get_by_text("The sum is").wait_for(timeout=10_000)
        except Late:
            sys.exit("the script of the page did not run")
        said = page.locator("#sum").inner_text()
    assert said == "The sum is 55", f"the page says {said!r}"
dsvm_picture.shows_halves(halves, (255, 0, 0), (0, 0, 255))
dsvm_check.passed(start_s=round(shown_s, 1), versions={"chromium": version})
