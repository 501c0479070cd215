"""Loads a table and asks it in SQL; the server is killed, and has what was committed."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import dsvm_check
import dsvm_rows

SETTING = Path("/etc/mssql.env").read_text()
if not re.search(r"^ACCEPT_EULA=Y$", SETTING, re.MULTILINE):
    print("its licence is not accepted: ACCEPT_EULA=Y in /etc/mssql.env does it")
    sys.exit(77)
BASE = f"check_{os.getpid()}"


def sudo(*words):
    return dsvm_check.say(["sudo", "-n", *words]).strip()


def tsql(*statements, base="master"):
    """What the server says to statements; each row is a line."""
    argv = ["tsql", "-H", "127.0.0.1", "-p", "1433", "-U", "sa", "-P", PASSWORD, "-D", base]
    told = subprocess.run(
        [*argv, "-o", "fhq", "-t", "|"],
        input="".join(f"{one}\nGO\n" for one in statements) + "EXIT\n",
        capture_output=True,
        text=True,
    )
    said = told.stdout + told.stderr
    if told.returncode or re.search(r"^(Msg|Error) \d+", said, re.MULTILINE):
        sys.exit(f"the server answers: {said.strip()[-1000:]}")
    return told.stdout.strip().splitlines()


def awake():
    """Wait until the server takes statements."""
    until = time.monotonic() + 120
    argv = ["tsql", "-H", "127.0.0.1", "-p", "1433", "-U", "sa", "-P", PASSWORD]
    while True:
        told = subprocess.run(argv, input="EXIT\n", capture_output=True, text=True)
        if not told.returncode:
            return
        if time.monotonic() > until:
            sys.exit(f"SQL Server does not answer: {(told.stdout + told.stderr)[-1000:]}")
        time.sleep(1)


state = subprocess.run(
    ["sudo", "-n", "systemctl", "start", "mssql"], capture_output=True, text=True
)
if state.returncode:
    sys.exit(f"mssql.service does not start: {state.stderr.strip()}")
PASSWORD = sudo("cat", "/var/lib/mssql/sa")
awake()
rows = [[row[0], row[2], row[4]] for row in dsvm_rows.planets()]
values = dsvm_rows.values(rows)
others = int(tsql("SELECT count(*) FROM sys.dm_exec_sessions WHERE is_user_process = 1")[-1]) - 1
tsql(f"CREATE DATABASE {BASE}")
try:
    table = "CREATE TABLE planets (name varchar(20), diameter decimal(8, 1), discovered date)"
    tsql(table, f"INSERT INTO planets VALUES {values}", base=BASE)
    asked = "SELECT count(*), sum(diameter), max(discovered) FROM planets"
    found = tsql(asked, base=BASE)[-1]
    if not others:  # nobody else loses what is under way
        tsql("BEGIN TRANSACTION; DELETE FROM planets WAITFOR DELAY '00:00:00'", base=BASE)
        sudo("systemctl", "kill", "--signal=KILL", "mssql")
        awake()
        assert (left := tsql(asked, base=BASE)[-1]) == found, f"after the kill it says {left}"
finally:
    tsql(f"DROP DATABASE {BASE}")
assert found.startswith("8|400697.6|"), f"of the planets it says {found}"
assert "1846" in found, f"of the planets it says {found}"
version = tsql("SELECT CAST(serverproperty('ProductVersion') AS varchar(20))")[-1]
dsvm_check.passed(rows=len(rows), killed=not others, versions={"SQL Server": version})
