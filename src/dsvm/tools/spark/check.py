"""Joins, groups and windows tables as pandas does, in SQL and in Python's own processes too."""

import os
import sys
import time
from pathlib import Path

import dsvm_check
import numpy as np
import pandas as pd
import pyspark
from pyspark.sql import Window
from pyspark.sql import functions as f

sys.path.insert(0, str(Path(__file__).parent))
from session import small_session

dsvm_check.lives_in("spark")
here = Path.cwd()
start = time.perf_counter()
spark = small_session()
started = time.perf_counter() - start
assert spark.range(1, 1_000_001).agg(f.sum("id")).first()[0] == 500_000_500_000, "the sum is wrong"

draw = np.random.default_rng(0)
rain = pd.DataFrame({"town": draw.choice(list("abcde"), 20_000), "day": np.arange(20_000) % 365})
rain["mm"] = draw.gamma(2, 3, len(rain)).round(2)
towns = pd.DataFrame({"town": list("abcde"), "land": ["north", "north", "south", "south", "east"]})
rain.to_csv("rain.csv", index=False)
falls = spark.read.csv(f"file://{here}/rain.csv", header=True, inferSchema=True)
falls.write.partitionBy("town").parquet(f"file://{here}/rain.parquet")
falls = spark.read.parquet(f"file://{here}/rain.parquet")
assert falls.count() == len(rain), f"Parquet has {falls.count()} rows, {len(rain)} were written"

known = rain.merge(towns).groupby("land")["mm"].mean()
lands = falls.join(spark.createDataFrame(towns), "town").groupBy("land")
means = lands.agg(f.avg("mm").alias("mm")).toPandas().set_index("land")["mm"].sort_index()
assert np.allclose(means, known), f"Spark's means are {dict(means)}, those of pandas {dict(known)}"

falls.createOrReplaceTempView("falls")
wet = spark.sql(
    "SELECT town, sum(mm) AS mm FROM falls GROUP BY town ORDER BY mm DESC LIMIT 1"
).first()
most = rain.groupby("town")["mm"].sum()
assert wet["town"] == most.idxmax(), f"SQL says {wet['town']} is the wettest, not {most.idxmax()}"
assert np.isclose(wet["mm"], most.max()), f"SQL sums to {wet['mm']}, pandas to {most.max()}"

order = Window.partitionBy("town").orderBy(f.desc("mm"), "day")
first = falls.withColumn("place", f.row_number().over(order)).where("place = 1")
peaks = {row["town"]: row["mm"] for row in first.collect()}
assert peaks == rain.groupby("town")["mm"].max().to_dict(), f"the windows' peaks are {peaks}"


@f.pandas_udf("double")
def inches(mm: pd.Series) -> pd.Series:
    return mm / 25.4


@f.udf("long")
def worker(_: int) -> int:
    return os.getpid()


total = falls.agg(f.sum(inches("mm"))).first()[0]
assert np.isclose(total, rain["mm"].sum() / 25.4), f"in Python's processes it sums to {total}"
workers = {row[0] for row in spark.range(0, 8, 1, 2).select(worker("id")).collect()}
assert workers, "Python's functions did not run"
assert os.getpid() not in workers, "Python's functions run in this process"
spark.stop()
dsvm_check.passed(
    start_s=round(started, 1),
    compute_s=round(time.perf_counter() - start - started, 1),
    versions={"spark": pyspark.__version__},
)
