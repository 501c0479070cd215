"""Writes the same rows into two databases by ODBC and reads them back, in Python and in isql."""

import datetime
import os
import subprocess
from decimal import Decimal
from pathlib import Path

import dsvm_check
import dsvm_rows
import pyodbc

dsvm_check.lives_in("sql")
POSTGRES = "Driver=PostgreSQL Unicode"
SQLITE = f"Driver=SQLite3;Database={Path.cwd()}/planets.db"
TABLE = f"check_{os.getpid()}"
COLUMNS = "name varchar(20), greek varchar(20), diameter numeric(8, 1), moons int, discovered date"
READ = f"SELECT name, greek, diameter, moons, discovered FROM {TABLE} ORDER BY diameter"


def read():
    """The planets as a database has them."""
    for name, greek, diameter, moons, discovered in dsvm_rows.planets():
        day = datetime.date.fromisoformat(discovered) if discovered else None
        yield name, greek, Decimal(diameter), int(moons) if moons else None, day


def plain(row):
    """SQLite has no decimals and tells them as floats."""
    return (*row[:2], Decimal(str(row[2])), *row[3:])


def written(base):
    """The rows once written by parameters and committed, as another statement reads them."""
    cursor = base.cursor()
    cursor.execute(f"CREATE TABLE {TABLE} ({COLUMNS})")
    cursor.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?)", KNOWN)
    base.commit()
    cursor.execute(f"DELETE FROM {TABLE}")
    base.rollback()
    return [plain(row) for row in cursor.execute(READ).fetchall()]


def isql(source, statement):
    """The rows that the shell of unixODBC prints of a statement."""
    told = subprocess.run(
        ["isql", "-k", source, "-b", "-d,"],
        input=f"{statement}\n",
        capture_output=True,
        text=True,
    )
    return told.stdout.strip().splitlines() or [told.stderr.strip()]


KNOWN = sorted(read(), key=lambda row: row[2])
postgres = pyodbc.connect(POSTGRES)
try:
    for name, base in (("PostgreSQL", postgres), ("SQLite", pyodbc.connect(SQLITE))):
        rows = written(base)
        assert rows == KNOWN, f"{name} has the rows {rows}"
    names = [f"{row[0]},{row[1]}" for row in KNOWN]
    for source in (POSTGRES, SQLITE):
        told = isql(source, f"SELECT name, greek FROM {TABLE} ORDER BY diameter")
        assert told == names, f"isql by `{source}` tells {told}"
finally:
    postgres.rollback()
    postgres.execute(f"DROP TABLE IF EXISTS {TABLE}").commit()
drivers = {
    "psqlODBC": postgres.getinfo(pyodbc.SQL_DRIVER_VER),
    "pyodbc": pyodbc.version,
}
dsvm_check.passed(rows=len(KNOWN), versions=drivers)
