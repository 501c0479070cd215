"""What checks of web apps need: a browser, as a person has it. `import dsvm_browser`.

For checks beside the tool `chromium`, in its environment `browser`: Playwright drives the Chromium
of the OS, without a window, and has none of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Error, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
# What an app of the first use takes to start, and its page to be drawn.
PATIENCE_MS = 60_000
_SAID = 500
# A notebook with an empty cell, for the kernel `base`.
NOTEBOOK = """{
 "cells": [{"cell_type": "code", "id": "one", "source": "", "metadata": {}, "outputs": [],
            "execution_count": null}],
 "metadata": {"kernelspec": {"name": "base", "display_name": "base", "language": "python"}},
 "nbformat": 4, "nbformat_minor": 5
}"""


@contextmanager
def page(url: str, *, wide: int = 1280, high: int = 800) -> Iterator[Page]:
    """The page at `url` in a new browser, which ends with the block; page.png shows its end."""
    # Its profile is a folder of this check, and so is what it writes into the home.
    home = {**os.environ, "HOME": str(Path.cwd())}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=True, env=home, timeout=PATIENCE_MS
        )
        shown = browser.new_page(viewport={"width": wide, "height": high})
        shown.set_default_timeout(PATIENCE_MS)
        try:
            answer = shown.goto(url)
            if answer and not answer.ok:  # the browser's own pages have none
                sys.exit(f"the page answers {answer.status}: {shown.inner_text('body')[-_SAID:]}")
            yield shown
        finally:
            with suppress(Error):  # of a page that is lost there is no picture
                shown.screenshot(path="page.png")
            browser.close()


def run_cell(shown: Page, code: str) -> str:
    """Type `code` into the first cell of the notebook that JupyterLab shows, and run it.

    Returns what the page then shows below the cell.
    """
    # What is run before the kernel is there is forgotten.
    shown.locator("#jp-main-statusbar").get_by_text("Idle").wait_for()
    shown.locator(".jp-Notebook .jp-CodeCell .cm-content").click()
    shown.keyboard.type(code)
    shown.keyboard.press("Control+Enter")
    answer = shown.locator(".jp-OutputArea-output pre").first
    answer.wait_for()
    said: str = answer.inner_text()
    return said.strip()
