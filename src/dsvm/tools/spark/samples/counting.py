"""One job of four tasks, under a name of its own; then the session waits to be looked at."""

import sys
import time

from pyspark.sql import SparkSession

session = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.memory", "1g")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.ui.port", sys.argv[1])
    .getOrCreate()
)
context = session.sparkContext
context.setJobDescription("dsvm counts")
assert context.parallelize(range(1000), 4).sum() == 499500
time.sleep(600)
