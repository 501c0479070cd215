"""Processors and memory, and what of them a process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dsvm.guest.processors import memory, processors
from tests.unit.guest.computers import NEOVERSE, plain, put

GIB = 1024**3


def test_model_features_and_cores_are_the_kernels(tmp_path: Path) -> None:
    found = processors(plain(tmp_path, threads=4))

    assert found.model == "AMD EPYC"
    assert found.architecture == "x86_64"
    assert (found.cores, found.threads, found.usable) == (2, 4, 4)
    assert found.features == ("AVX2", "AVX-512", "AVX-512 VNNI", "AVX-512 BF16")


def test_an_arm_processor_is_named_by_its_numbers(tmp_path: Path) -> None:
    found = processors(plain(tmp_path, NEOVERSE, threads=4))

    assert found.model == "Arm Neoverse V2"
    assert found.architecture == "aarch64"
    assert found.cores == 4
    assert set(found.features) == {"NEON", "dot product", "BF16", "I8MM", "SVE", "SVE2"}


def test_affinity_bounds_what_is_usable(tmp_path: Path) -> None:
    put(plain(tmp_path, threads=8), "proc/self/status", "Cpus_allowed_list:\t0-1,6\n")

    assert processors(tmp_path).usable == 3


def test_the_tightest_cgroup_on_the_way_up_counts(tmp_path: Path) -> None:
    put(plain(tmp_path, threads=8), "proc/self/cgroup", "0::/machine.slice/one/job\n")
    put(tmp_path, "sys/fs/cgroup/machine.slice/cpu.max", "150000 100000\n")
    put(tmp_path, "sys/fs/cgroup/machine.slice/one/cpu.max", "max 100000\n")
    put(tmp_path, "sys/fs/cgroup/machine.slice/memory.max", f"{4 * GIB}\n")
    put(tmp_path, "sys/fs/cgroup/machine.slice/one/job/memory.max", "max\n")

    assert processors(tmp_path).usable == 1.5
    assert memory(tmp_path).usable == 4 * GIB
    assert memory(tmp_path).total == 24684084 * 1024
    assert memory(tmp_path).swap == 2097148 * 1024


def test_cgroups_of_the_old_kind_count_as_well(tmp_path: Path) -> None:
    """As a host with both kinds has them; its controllers are in the old one."""
    text = "4:memory:/jobs/one\n2:cpuacct,cpu:/jobs\n0::/\n"
    put(plain(tmp_path, threads=8), "proc/self/cgroup", text)
    put(tmp_path, "sys/fs/cgroup/unified/cgroup.procs", "")
    put(tmp_path, "sys/fs/cgroup/memory/jobs/one/memory.limit_in_bytes", f"{2 * GIB}\n")
    put(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", f"{2**63 - 4096}\n")
    put(tmp_path, "sys/fs/cgroup/cpu/jobs/cpu.cfs_quota_us", "50000\n")
    put(tmp_path, "sys/fs/cgroup/cpu/jobs/cpu.cfs_period_us", "100000\n")
    put(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")

    assert processors(tmp_path).usable == 0.5
    assert memory(tmp_path).usable == 2 * GIB


def test_this_computer_is_told_as_python_knows_it() -> None:
    found = processors()

    assert found.threads == os.cpu_count()
    assert 0 < found.usable <= len(os.sched_getaffinity(0))
    assert found.architecture == os.uname().machine
    told = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory().total == pytest.approx(told, rel=0.01)
