"""Runs cells of SQL on the kernel: the same rows from DuckDB, SQLite and PostgreSQL."""

import json
import os
from importlib.metadata import version
from pathlib import Path

import dsvm_check
import dsvm_kernel
import dsvm_rows

dsvm_check.lives_in("sql")
TABLE = f"check_{os.getpid()}"
COLUMNS = "name varchar, greek varchar, diameter numeric(8, 1), moons int, discovered varchar"
SMALL = f"SELECT name FROM {TABLE} WHERE diameter < {{{{low}}}} ORDER BY 1"
DATABASES = {
    "DuckDB": "duckdb://",
    "SQLite": f"sqlite:///{Path.cwd()}/planets.db",
    "PostgreSQL": "postgresql+psycopg://",
}
# It counts its users unless told not to.
os.environ["PLOOMBER_STATS_ENABLED"] = "false"


def plain(row):
    """SQLite tells a decimal without its last zero."""
    words = ["" if word == "None" else word for word in row]
    return [*words[:2], float(words[2]), *words[3:]]


known = dsvm_rows.planets()
values = dsvm_rows.values(known)
with dsvm_kernel.started(os.environ["DSVM_ENVIRONMENT"]) as cell:
    cell("%load_ext sql\n%config SqlMagic.displaycon = False\n%config SqlMagic.feedback = 0")
    for name, address in DATABASES.items():
        cell(f"%sql {address} --alias {name}")
        try:
            cell(f"%%sql\nCREATE TABLE {TABLE} ({COLUMNS})")
            cell(f"%%sql\nINSERT INTO {TABLE} VALUES {values}")
            cell(f"%%sql rows <<\nSELECT * FROM {TABLE}")
            told = cell("import json\nprint(json.dumps([list(map(str, row)) for row in rows]))")
            cell(f"low = 10000\n%sql few << {SMALL}")
            small = cell("print(few.DataFrame().name.tolist())").splitlines()[-1]
        finally:
            cell(f"%%sql\nDROP TABLE IF EXISTS {TABLE}")
        rows = [plain(row) for row in json.loads(told.splitlines()[-1])]
        assert rows == list(map(plain, known)), f"{name} gives the cell the rows {rows}"
        assert small == "['Mars', 'Mercury']", f"{name} finds as small: {small}"
dsvm_check.passed(
    rows=len(known), databases=len(DATABASES), versions={"jupysql": version("jupysql")}
)
