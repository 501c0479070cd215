"""A kernel with shared memory and barriers sums columns as numpy does, in numba's simulator."""

import os
from importlib.metadata import version

import dsvm_check

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
import numpy as np
from numba import cuda, float32

dsvm_check.lives_in("cuda")
ROWS, COLUMNS = 16, 5


@cuda.jit
def column_sums(numbers, sums):
    shared = cuda.shared.array(16, float32)
    row, column = cuda.threadIdx.x, cuda.blockIdx.x
    shared[row] = numbers[row, column]
    cuda.syncthreads()
    half = 8
    while half:
        if row < half:
            shared[row] += shared[row + half]
        cuda.syncthreads()
        half //= 2
    if row == 0:
        sums[column] = shared[0]


numbers = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype("float32")
sums = np.zeros(COLUMNS, "float32")
column_sums[COLUMNS, ROWS](numbers, sums)
assert np.allclose(sums, numbers.sum(0), atol=1e-5), (
    f"the kernel's sums differ from numpy's: {sums} and {numbers.sum(0)}"
)
dsvm_check.passed(versions={"numba": version("numba")})
