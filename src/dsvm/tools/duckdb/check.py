"""Joins CSV, JSON and Parquet in SQL, as pandas does; killed, it keeps what was committed."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

if sys.prefix != "/opt/dsvm/envs/sql":
    sys.exit(f"this is the Python of {sys.prefix}, not of /opt/dsvm/envs/sql")

ROWS = 300_000
JOINED = """
    SELECT city, count(*) AS n, round(sum(price * amount), 2) AS turnover
    FROM 'sales.parquet' JOIN 'customers.json' USING (customer) JOIN 'prices.csv' USING (item)
    GROUP BY city ORDER BY city"""

# The same numbers everywhere and always (numpy's PCG64 with a fixed seed).
draw = np.random.default_rng(7)
sales = pd.DataFrame(
    {
        "customer": draw.integers(0, 50, ROWS),
        "item": draw.integers(0, 20, ROWS),
        "amount": draw.integers(1, 10, ROWS),
    }
)
customers = pd.DataFrame({"customer": range(50), "city": [f"city {n % 5}" for n in range(50)]})
prices = pd.DataFrame({"item": range(20), "price": [n + 0.25 for n in range(20)]})
sales.to_parquet("sales.parquet")
customers.to_json("customers.json", orient="records")
prices.to_csv("prices.csv", index=False)

found = duckdb.sql(JOINED).df()
joined = sales.merge(customers).merge(prices)
known = (joined.price * joined.amount).groupby(joined.city).agg(["size", "sum"]).sort_index()
assert found.n.sum() == ROWS, f"the join has {found.n.sum()} rows, {ROWS} are known"
assert found.n.tolist() == known["size"].tolist(), "DuckDB counts other rows than pandas"
assert np.allclose(found.turnover, known["sum"]), "DuckDB adds up other sums than pandas"

duckdb.sql("COPY (SELECT * FROM 'sales.parquet' WHERE item = 3) TO 'three' (FORMAT parquet)")
three = pd.read_parquet("three")
assert len(three) == (sales.item == 3).sum(), "the Parquet file it wrote has other rows"

KILLED = """
import duckdb, os, signal
base = duckdb.connect("kept.duckdb")
base.execute("CREATE TABLE kept AS SELECT range AS n FROM range(1000)")
base.execute("BEGIN; DELETE FROM kept")
os.kill(os.getpid(), signal.SIGKILL)
"""
subprocess.run([sys.executable, "-c", KILLED], check=False)
left = duckdb.connect("kept.duckdb").execute("SELECT count(*), sum(n) FROM kept").fetchone()
assert left == (1000, 499500), f"after the kill the table has (rows, sum) {left}"
Path("kept.duckdb").unlink()
print(json.dumps({"rows": ROWS, "versions": {"duckdb": duckdb.__version__}}))
