"""Sums an array and groups a table over worker processes, as numpy and pandas do alone."""

import os
import time

import dask.array as da
import dask.dataframe as dd
import distributed
import dsvm_check
import numpy as np
import pandas as pd

dsvm_check.lives_in("cluster")


def main():
    start = time.perf_counter()
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit="300MB"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        started = time.perf_counter() - start
        workers = client.run(os.getpid)
        assert len(set(workers.values())) == 2, f"2 workers were asked for: {workers}"
        assert os.getpid() not in workers.values(), "a worker is this process"

        numbers = np.random.default_rng(0).normal(size=(2000, 500))
        total = float(da.from_array(numbers, chunks=(250, 500)).sum().compute())
        assert np.isclose(total, numbers.sum()), f"dask sums to {total}, numpy to {numbers.sum()}"

        table = pd.DataFrame({"town": list("abcd") * 2500, "rain": np.arange(10_000) % 37})
        means = dd.from_pandas(table, npartitions=8).groupby("town")["rain"].mean().compute()
        pd.testing.assert_series_equal(
            means.sort_index(), table.groupby("town")["rain"].mean(), check_index_type=False
        )
    dsvm_check.passed(
        workers=len(workers), start_s=round(started, 1), versions={"dask": distributed.__version__}
    )


# Each worker process imports this file anew.
if __name__ == "__main__":
    main()
