"""Fits and scores a classifier on real data, compares numba with numpy, draws the result."""

import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import cv2
import matplotlib.pyplot as plt
import numba
import numpy as np
import pandas as pd
import polars as pl
import seaborn as sns
import statsmodels.api as sm
import sympy
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_info

if sys.prefix != "/opt/dsvm/envs/base":
    sys.exit(f"this is the Python of {sys.prefix}, not of /opt/dsvm/envs/base")

# What OpenBLAS calls the kernels that it has for CPUs without AVX (its TargetList.txt).
BEFORE_AVX = {"Katmai", "Prescott", "Core2", "Penryn", "Dunnington", "Atom", "Nehalem"}


def classifier() -> float:
    """Handwritten digits: a random forest must name 95 of 100 it has not seen."""
    images, labels = load_digits(return_X_y=True)
    seen, unseen, known, truth = train_test_split(images, labels, random_state=0)
    model = RandomForestClassifier(100, random_state=0, n_jobs=-1).fit(seen, known)
    named = model.predict(unseen)
    accuracy = accuracy_score(truth, named)
    sns.heatmap(confusion_matrix(truth, named), annot=True, cbar=False, cmap="Blues")
    plt.title(f"Handwritten digits, unseen: {accuracy:.3f} right")
    plt.xlabel("named")
    plt.ylabel("truth")
    plt.tight_layout()
    plt.savefig("digits.png", dpi=80)
    assert accuracy > 0.95, f"accuracy {accuracy:.3f}, more than 0.95 is demanded"
    return accuracy


@numba.njit
def pairwise(x: np.ndarray) -> np.ndarray:
    out = np.empty((len(x), len(x)))
    for i in range(len(x)):
        for j in range(len(x)):
            out[i, j] = ((x[i] - x[j]) ** 2).sum()
    return out


def numba_equals_numpy() -> None:
    x = np.random.default_rng(0).normal(size=(120, 8))
    assert np.allclose(pairwise(x), ((x[:, None] - x[None]) ** 2).sum(-1)), (
        "numba differs from numpy"
    )


def tables_agree() -> None:
    """pandas, polars and statsmodels compute the same means and the textbook regression."""
    frame = load_diabetes(as_frame=True, scaled=False).frame
    means = frame.groupby("sex")["target"].mean()
    same = pl.from_pandas(frame).group_by("sex").agg(pl.col("target").mean()).sort("sex")
    assert np.allclose(means.sort_index(), same["target"]), "polars differs from pandas"
    fit = sm.OLS(frame["target"], sm.add_constant(frame.drop(columns="target"))).fit()
    assert abs(fit.rsquared - 0.5177) < 1e-3, f"R squared {fit.rsquared}, 0.5177 is known"
    assert pd.__version__ == version("pandas")


def blas_threads() -> int:
    """numpy computes with OpenBLAS, with the CPU's instructions, on more than one where it can."""
    found = [one for one in threadpool_info() if "/numpy.libs/" in one["filepath"]]
    if [one["internal_api"] for one in found] != ["openblas"]:
        sys.exit(f"numpy does not compute with OpenBLAS: {found}")
    architecture, flags = found[0]["architecture"], Path("/proc/cpuinfo").read_text().split()
    if architecture in BEFORE_AVX and "avx2" in flags:
        sys.exit(f"numpy's OpenBLAS computes as for {architecture}, though this CPU has AVX2")
    threads, cpus = int(found[0]["num_threads"]), len(os.sched_getaffinity(0))
    if threads < min(2, cpus):
        sys.exit(f"numpy's OpenBLAS computes on {threads} thread of {cpus} CPUs")
    return threads


def known_answers() -> None:
    x = sympy.Symbol("x")
    assert sympy.integrate(sympy.exp(-(x**2)), (x, -sympy.oo, sympy.oo)) == sympy.sqrt(sympy.pi)
    picture = np.zeros((100, 100), np.uint8)
    cv2.circle(picture, (50, 50), 20, 255, -1)
    (shape,), _ = cv2.findContours(picture, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    assert abs(cv2.contourArea(shape) - np.pi * 400) < 60, "the circle has another area"


numba_equals_numpy()
tables_agree()
known_answers()
threads = blas_threads()
start = time.perf_counter()
a = np.random.default_rng(0).normal(size=(1000, 1000))
product = a @ a
gflops = 2e-9 * 1000**3 / (time.perf_counter() - start)
assert abs(product[3, 5] - np.dot(a[3], a[:, 5])) < 1e-9, "BLAS multiplies wrongly"
names = ("numpy", "scipy", "pandas", "polars", "scikit-learn", "numba", "matplotlib")
print(
    json.dumps(
        {
            "device": "cpu",
            "accuracy": round(classifier(), 4),
            "blas_gflops": round(gflops, 1),
            "blas_threads": threads,
            "versions": {"python": platform.python_version()} | {n: version(n) for n in names},
        }
    )
)
