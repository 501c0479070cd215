"""In a browser: a file is opened, edited and saved; in a terminal the machine's Python runs it."""

import os
import shutil
import time
from pathlib import Path

import dsvm_browser
import dsvm_check

dsvm_check.lives_in("browser")
WAIT_S = 60
# A folder of its own: a person's files stay.
folder = Path.home() / f"dsvm-check-{os.getpid()}"
program, told = folder / "sum.py", folder / "told.txt"


def holds(file, text):
    """Wait until the file has this text; say what it has otherwise."""
    late = time.monotonic() + WAIT_S
    while not file.exists() or file.read_text() != text:
        if time.monotonic() > late:
            has = repr(file.read_text()) if file.exists() else "not there"
            raise SystemExit(f"{file.name} is {has}, not {text!r}")
        time.sleep(0.2)


folder.mkdir()
program.write_text("print(0)\n")
try:
    start = time.perf_counter()
    way = f"/dsvm-signin/{{token}}/?folder={folder}"
    with dsvm_browser.page(dsvm_check.address("vscode", way)) as page:
        # Nothing of a folder may run before its owner says that it is trusted.
        page.locator(".part.banner a", has_text="Manage").click()
        page.locator(".workspace-trust-editor .monaco-button", has_text="Trust").first.click()
        page.get_by_text("You trust this folder").wait_for()
        page.get_by_role("button", name="Close Modal Editor").click()
        page.get_by_role("treeitem", name="sum.py").dblclick()
        shown_s = time.perf_counter() - start
        page.locator(".monaco-editor .view-line", has_text="print(0)").click()
        page.keyboard.press("Control+A")
        page.keyboard.type("import sys\nprint(sum(range(11)), sys.prefix)\n")
        page.keyboard.press("Control+S")
        holds(program, "import sys\nprint(sum(range(11)), sys.prefix)\n")
        page.keyboard.press("Control+Backquote")
        page.locator(".terminal-wrapper.active .xterm-screen").click()
        page.keyboard.type(f"python {program.name} | tee {told.name}\n")
        holds(told, "55 /opt/dsvm/envs/base\n")
        page.screenshot(path="terminal.png")
        # A terminal outlives its page.
        page.keyboard.type("exit\n")
        page.locator(".terminal-wrapper").wait_for(state="detached")
finally:
    shutil.rmtree(folder)
dsvm_check.passed(shown_s=round(shown_s, 1))
