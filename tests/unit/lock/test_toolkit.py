"""Which CUDA a build brings, told from its packages."""

from __future__ import annotations

import pytest

from dsvm.lock.toolkit import cuda_of
from tests.unit.lock.examples import wheel


@pytest.mark.parametrize(
    ("named", "cuda"),
    [
        (["torch==2.9.0", "nvidia-cuda-runtime-cu12==12.8.90", "nvidia-nccl-cu12==2.27"], "12.8"),
        (["jax==0.8.0", "nvidia-cuda-runtime==13.0.96"], "13.0"),
        (["xgboost==3.1.1", "nvidia-nccl-cu12==2.28.9"], "12"),
        (["numpy==2.2.0"], None),
    ],
    ids=["by its name", "by its version", "a library alone", "none"],
)
def test_it_is_the_runtimes_or_that_of_a_library(named: list[str], cuda: str | None) -> None:
    assert cuda_of(wheel(*one.split("==")) for one in named) == cuda
