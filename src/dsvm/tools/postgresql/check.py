"""Loads a table and asks it in SQL, and lets in who one is; killed, it keeps what was committed.

What is killed is a server of this check's own: others may be working with the machine's.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dsvm_check

SAMPLE = Path(os.environ["DSVM_SAMPLES"]) / "anscombe.csv"
HERE = str(Path.cwd())
SCHEMA = f"check_{os.getpid()}"
TABLE = f"{SCHEMA}.anscombe"
# The same of each of the four parts: F. J. Anscombe, Graphs in Statistical Analysis (1973).
PART = "11|9.0|7.50|0.50|3.0|0.67"
FIGURES = f"""
    SELECT count(*), round(avg(x), 1), round(avg(y), 2), round(regr_slope(y, x)::numeric, 2),
      round(regr_intercept(y, x)::numeric, 1), round(regr_r2(y, x)::numeric, 2)
    FROM {TABLE} GROUP BY part ORDER BY part"""


def load(*where):
    psql(
        f"CREATE SCHEMA {SCHEMA}",
        f"CREATE TABLE {TABLE} (part int, x numeric, y numeric)",
        rf"\copy {TABLE} FROM '{SAMPLE}' (FORMAT csv, HEADER)",
        where=where,
    )


def psql(*statements, where=()):
    """What the database says to statements, each in a transaction of its own."""
    said = [word for one in statements for word in ("-c", one)]
    return dsvm_check.say(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *where, *said]).strip()


def refused(argv, words):
    """End the check unless a connection is refused with these words."""
    said = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if words not in said.stderr:
        sys.exit(f"`{' '.join(argv)}` is not refused: {said.stdout.strip() or said.stderr.strip()}")


def started(programs, data):
    """A server of this check's own, once it takes connections."""
    with Path("server.log").open("ab") as log:
        server = subprocess.Popen(
            [
                *(f"{programs}/postgres", "-D", data, "-k", HERE, "-h", ""),
                *("-c", "shared_buffers=8MB", "-c", "jit=off"),
            ],
            stdout=log,
            stderr=log,
        )
    until = time.monotonic() + 60
    while subprocess.run([f"{programs}/pg_isready", "-q", "-h", HERE]).returncode:
        if server.poll() is not None or time.monotonic() > until:
            sys.exit(f"the server does not start: {Path('server.log').read_text()[-1000:]}")
        time.sleep(0.1)
    return server


who = psql("SELECT current_user, current_database(), rolsuper FROM pg_roles WHERE rolname = user")
assert who == "ds|ds|f", f"who connects is (user, database, superuser) {who}"
begin = time.perf_counter()
try:
    load()
    figures = psql(FIGURES).splitlines()
finally:
    with suppress(SystemExit):
        psql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
seconds = time.perf_counter() - begin
assert figures == [PART] * 4, f"of the four parts it says {figures}, known is {PART}"

asked = ["-w", "-XAtc", "SELECT 'let in'"]
refused(["sudo", "-n", "-u", "nobody", "psql", "-U", "ds", *asked], "Peer authentication failed")
refused(["psql", "-h", "127.0.0.1", *asked], "no password supplied")
listens = psql("SHOW listen_addresses")
assert listens == "localhost", f"the server listens at `{listens}`, not only at localhost"

programs = dsvm_check.say(["pg_config", "--bindir"]).strip()
dsvm_check.say([f"{programs}/initdb", "-D", "data", "--no-sync", "--locale=C.UTF-8"])
server = started(programs, "data")
mine = ("-h", HERE, "-d", "postgres")
load(*mine)
with subprocess.Popen(["psql", "-Xq", *mine], stdin=subprocess.PIPE, text=True) as writer:
    writer.stdin.write(f"BEGIN;\nDELETE FROM {TABLE};\n\\! touch deleted\n")
    writer.stdin.flush()
    until = time.monotonic() + 30
    while not Path("deleted").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert Path("deleted").exists(), "the rows were not deleted in time"
    server.send_signal(signal.SIGKILL)
    server.wait()
server = started(programs, "data")
left = psql(f"SELECT count(*), sum(y) FROM {TABLE}", where=mine)
server.send_signal(signal.SIGINT)
server.wait(30)
assert left == "44|330.03", f"after the kill the table has (rows, sum) {left}"
log = Path("server.log").read_text()
assert "automatic recovery in progress" in log, f"the server was not killed: {log[-500:]}"
version = psql("SHOW server_version").split()[0]
dsvm_check.passed(rows=44, seconds=round(seconds, 2), versions={"PostgreSQL": version})
