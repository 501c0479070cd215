"""The session of the checks: small, on this computer alone, in the check's own folder."""

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession


def small_session():
    """Two threads in a Java of 1 GB; nothing listens elsewhere than on the loopback."""
    # As the kernel has it: Python's workers are the first `python3` of the path.
    os.environ["PATH"] = f"{sys.prefix}/bin:{os.environ['PATH']}"
    session = (
        SparkSession.builder.master("local[2]")
        .appName("dsvm check")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.warehouse.dir", str(Path.cwd() / "warehouse"))
        .config("spark.local.dir", str(Path.cwd() / "spill"))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session
