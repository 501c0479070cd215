"""In a browser: the person's app opens signed in; in another, a new number gives a new sum."""

import os
import time

import dsvm_browser
import dsvm_check

dsvm_check.lives_in("browser")
with dsvm_browser.page(dsvm_check.address("shiny")) as page:
    page.wait_for_function("() => window.Shiny && Shiny.shinyapp && Shiny.shinyapp.isConnected()")
port = dsvm_check.free_port()
base = f"http://127.0.0.1:{port}"
sample = f"{os.environ['DSVM_SAMPLES']}/app.R"
serve = f"shiny::runApp('{sample}', port = {port}, host = '127.0.0.1', launch.browser = FALSE)"
with dsvm_check.server(["/usr/bin/Rscript", "--vanilla", "-e", serve], base):
    start = time.perf_counter()
    with dsvm_browser.page(base) as page:
        page.get_by_text("The sum is 55").wait_for()
        drawn = page.locator("#figure img").get_attribute("src")
        page.get_by_label("Up to").fill("100")
        page.get_by_text("The sum is 5050").wait_for()
        page.wait_for_function(
            "drawn => document.querySelector('#figure img').src != drawn", arg=drawn
        )
        took = time.perf_counter() - start
dsvm_check.passed(seconds=round(took, 1))
