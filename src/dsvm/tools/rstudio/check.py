"""It answers who is signed in, with its page and the script of it as its maker sends them."""

from pathlib import Path

import dsvm_check

RSTUDIO = Path("/opt/dsvm/apps/rstudio/usr/lib/rstudio-server")
SCRIPT = "rstudio/rstudio.nocache.js"
version = dsvm_check.say([f"{RSTUDIO}/bin/rserver", "--version"]).split()[0]
visit = dsvm_check.Visit("rstudio")
page = visit.page
assert SCRIPT in page, f"its page names no script of the editor; it begins {page[:300]!r}"
sent, built = visit.get(f"/{SCRIPT}"), (RSTUDIO / "www" / SCRIPT).read_bytes()
assert sent == built, f"its script comes in {len(sent)} bytes, {len(built)} are there"
dsvm_check.passed(versions={"RStudio Server": version})
