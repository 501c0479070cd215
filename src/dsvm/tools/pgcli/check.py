"""Loads a table and prints it again; completes the names of the table and of its columns."""

import csv
import io
import os
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path

import dsvm_check
import dsvm_rows
from prompt_toolkit.document import Document

# Its settings and history are a person's: this check has its own.
os.environ["XDG_CONFIG_HOME"] = str(Path.cwd())
os.environ["PGOPTIONS"] = "-c client_min_messages=warning"
from pgcli.completion_refresher import CompletionRefresher
from pgcli.pgexecute import PGExecute
from pgspecial.main import PGSpecial

dsvm_check.lives_in("cli")
TABLE = f"planets_of_check_{os.getpid()}"
COLUMNS = "name text, greek text, diameter numeric, moons int, discovered date"


def pgcli(*statements):
    said = [word for one in statements for word in ("-c", one)]
    told = subprocess.run(
        [f"{sys.prefix}/bin/pgcli", "--pgclirc", "pgclirc", "-y", *said],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if told.returncode or told.stderr.strip():
        sys.exit(f"pgcli ended with status {told.returncode}: {told.stderr or told.stdout}")
    return told.stdout


def completed(text):
    """What is offered where `text` ends, by the names that the database has now."""
    ready, found = threading.Event(), []
    executor = PGExecute(dsn="")
    CompletionRefresher().refresh(
        executor, PGSpecial(), lambda made: (found.append(made), ready.set())
    )
    if not ready.wait(60):
        sys.exit("pgcli does not read the names of the database in time")
    offers = found[0].get_completions(Document(text, len(text)), None, smart_completion=True)
    return [offer.text for offer in offers]


Path("pgclirc").write_text("[main]\ntable_format = csv-noheader\nnull_string = \n")
known = dsvm_rows.planets()
values = dsvm_rows.values(known)
try:
    pgcli(f"CREATE TABLE {TABLE} ({COLUMNS})", f"INSERT INTO {TABLE} VALUES {values}")
    printed = pgcli(f"SELECT * FROM {TABLE}")
    tables = completed("SELECT * FROM planets_of")
    columns = completed(f"SELECT * FROM {TABLE} WHERE disc")
finally:
    pgcli(f"DROP TABLE IF EXISTS {TABLE}")
rows = [row for row in csv.reader(io.StringIO(printed)) if len(row) == len(known[0])]
assert rows == known, f"pgcli prints the rows {rows}"
assert TABLE in tables, f"pgcli does not complete the table: {tables}"
assert columns[:1] == ["discovered"], f"pgcli does not complete the column: {columns[:5]}"
dsvm_check.passed(rows=len(known), versions={"pgcli": version("pgcli")})
