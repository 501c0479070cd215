"""The parts are rows of a table that Spark spreads over its workers; each step is a job.

When a worker is gone, Spark starts another one, and gives it the rows and the tasks of the first.
"""

import os
import signal
import sys
from pathlib import Path

from pyspark import TaskContext
from pyspark.sql import SparkSession
from train import KILL_AT, SEEDS, asked, gradient, parts, run, tell


def worker():
    """The process of Spark's worker: the nearest Java above this Python."""
    pid = os.getpid()
    while "java" not in Path(f"/proc/{pid}/comm").read_text():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return pid


def found(weights, part, die):
    task = TaskContext.get()
    if die and task.partitionId() == 0 and task.attemptNumber() == 0:
        os.kill(worker(), signal.SIGKILL)
    return task.attemptNumber(), gradient(weights.value, *part)


def summed(weights, step):
    shared, die = context.broadcast(weights), kill and step == KILL_AT
    told = table.map(lambda part: found(shared, part, die)).collect()
    attempts.append(max(attempt for attempt, _ in told))
    shared.destroy()
    return sum(one for _, one in told)


address, number, kill = asked()
os.environ["PYSPARK_PYTHON"] = sys.executable  # at the same place in every machine
java = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"  # for a life of a minute
build = SparkSession.builder.master(address).appName("many")
if address.startswith("local"):
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    build = build.config("spark.driver.host", "127.0.0.1")
build = (
    build.config("spark.driver.memory", "512m")
    .config("spark.executor.memory", "512m")
    .config("spark.driver.extraJavaOptions", java)
    .config("spark.executor.extraJavaOptions", java)
    .config("spark.executor.cores", "1")
    .config("spark.cores.max", number)
    .config("spark.local.dir", str(Path.cwd() / "spill"))
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
)
session = build.getOrCreate()
context = session.sparkContext
context.setLogLevel("OFF")
context.addPyFile(str(Path(__file__).with_name("train.py")))
all_parts, attempts = parts(), []
table = context.parallelize(all_parts, number).cache()
workers = set(table.map(lambda part: worker()).collect())
took = run(
    "spark-killed" if kill else "spark",
    summed,
    sum(len(labels) for _, labels in all_parts),
    seeds=SEEDS[:1] if kill else SEEDS,
)
tell(seconds=took, workers=len(workers), killed=sum(one > 0 for one in attempts))
session.stop()
