"""In a browser: a person's address leads to a server of their own, where a notebook runs."""

import time

import dsvm_browser
import dsvm_check
import people

dsvm_check.lives_in("browser")
NAME, BOOK = "dsvm-check-c", "book.ipynb"

with people.accounts(NAME) as (person,):
    person.keep(BOOK, dsvm_browser.NOTEBOOK)
    start = time.perf_counter()
    with dsvm_browser.page(f"{person.address()}&next=/hub/spawn") as page:
        page.wait_for_url(f"**/user/{NAME}/lab**")
        page.goto(f"{people.BASE}/user/{NAME}/lab/tree/{BOOK}")
        said = dsvm_browser.run_cell(page, "import getpass; print(6 * 7, getpass.getuser())")
        asked = page.get_by_text("Jupyter news").count()
        took = time.perf_counter() - start
assert said == f"42 {NAME}", f"the page shows {said!r}"
assert not asked, "a new person is asked for news"
dsvm_check.passed(seconds=round(took, 1))
