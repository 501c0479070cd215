"""Checks run beside each other as far as the machine allows."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dsvm.progress import Silent
from dsvm.verify.model import CheckResult
from dsvm.verify.schedule import Job, run_jobs


def passed(name: str) -> CheckResult:
    return CheckResult(tool=name, check="works", outcome="passed", seconds=0.0)


class Gauge:
    """Jobs that count how many of them run at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0

    def job(self, name: str, memory: int = 0, expect_s: float = 0.0) -> Job:
        return Job(name, self._work(name), memory=memory, expect_s=expect_s)

    def _work(self, name: str) -> Callable[[], CheckResult]:
        def work() -> CheckResult:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            threading.Event().wait(0.01)
            with self.lock:
                self.now -= 1
            return passed(name)

        return work


def test_results_keep_the_order_of_the_jobs() -> None:
    jobs = [Gauge().job(name, expect_s=number) for number, name in enumerate("abcd")]

    results = run_jobs(jobs, cpus=2, memory=10, progress=Silent())

    assert [result.tool for result in results] == list("abcd")


def test_no_more_run_than_there_are_cpus() -> None:
    gauge = Gauge()

    run_jobs([gauge.job(str(n)) for n in range(8)], cpus=2, memory=100, progress=Silent())

    assert gauge.most == 2


def test_no_more_run_than_fit_into_memory() -> None:
    gauge = Gauge()

    run_jobs([gauge.job(str(n), memory=6) for n in range(4)], cpus=4, memory=10, progress=Silent())

    assert gauge.most == 1


def test_a_check_larger_than_the_machine_runs_alone() -> None:
    gauge = Gauge()
    jobs = [gauge.job("huge", memory=99), gauge.job("small", memory=1)]

    results = run_jobs(jobs, cpus=4, memory=10, progress=Silent())

    assert gauge.most == 1
    assert len(results) == 2


def test_one_connection_is_never_asked_for_more_sessions_than_sshd_takes() -> None:
    gauge = Gauge()

    run_jobs([gauge.job(str(n)) for n in range(20)], cpus=64, memory=100, progress=Silent())

    assert gauge.most <= 6


def test_an_exception_of_a_job_is_raised_once_the_others_ended() -> None:
    gauge = Gauge()

    def fail() -> CheckResult:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run_jobs([gauge.job("a"), Job("b", fail)], cpus=2, memory=10, progress=Silent())

    assert gauge.now == 0


def test_no_jobs_are_no_results() -> None:
    assert run_jobs([], cpus=1, memory=1, progress=Silent()) == []
