"""In a browser, signed in: a line typed into the console is evaluated by the machine's R."""

import time

import dsvm_browser
import dsvm_check

dsvm_check.lives_in("browser")
start = time.perf_counter()
with dsvm_browser.page(dsvm_check.address("rstudio")) as page:
    page.locator("#rstudio_console_input").click()
    page.keyboard.type("cat(6 * 7, R.home())\n")
    page.locator("#rstudio_console_output", has_text="42 /usr/lib/R").wait_for()
    took = time.perf_counter() - start
dsvm_check.passed(seconds=round(took, 1))
