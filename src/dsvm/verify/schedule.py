"""Runs jobs beside each other as far as CPUs and memory allow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dsvm.progress import Progress
from dsvm.verify.model import CheckResult

# sshd takes ten sessions on one connection (MaxSessions); some are left for other commands.
MOST = 6


@dataclass(frozen=True)
class Job:
    """One check to run. `memory` in bytes; `expect_s` orders: the longest begins first."""

    name: str
    work: Callable[[], CheckResult]
    memory: int = 0
    expect_s: float = 0.0
    cpus: int = 1


def run_jobs(
    jobs: Sequence[Job],
    *,
    cpus: int,
    memory: int,
    progress: Progress,
    what: tuple[str, str] = ("proving", "checks"),
) -> list[CheckResult]:
    """The results in the order of the jobs. A job too large for the machine runs alone. `what` is
    told to a person: what is done, and of what so many.

    An exception of a job is raised here once all that run have ended.
    """
    return _Run(jobs, min(max(cpus, 1), MOST), memory, progress, what).all()


class _Run:
    def __init__(
        self,
        jobs: Sequence[Job],
        cpus: int,
        memory: int,
        progress: Progress,
        what: tuple[str, str],
    ) -> None:
        self.jobs = jobs
        self.name, self.unit = what
        self.waiting = sorted(range(len(jobs)), key=lambda one: -jobs[one].expect_s)
        self.running: set[int] = set()
        self.results: dict[int, CheckResult] = {}
        self.raised: BaseException | None = None
        self.changed = threading.Condition()
        self.cpus, self.memory, self.progress = cpus, memory, progress

    def all(self) -> list[CheckResult]:
        with self.progress.step(self.name, total=len(self.jobs), unit=self.unit) as step:
            workers = []
            with self.changed:
                while self.waiting and not self.raised:
                    fitting = next((one for one in self.waiting if self._fits(one)), None)
                    if fitting is None:
                        self.changed.wait()
                        continue
                    self.waiting.remove(fitting)
                    self.running.add(fitting)
                    step.say(self.jobs[fitting].name)
                    worker = threading.Thread(target=self._work, args=(fitting, step.advance))
                    worker.start()
                    workers.append(worker)
            for worker in workers:
                worker.join()
        if self.raised:
            raise self.raised
        return [self.results[one] for one in range(len(self.jobs))]

    def _fits(self, number: int) -> bool:
        if not self.running:
            return True
        now = [self.jobs[one] for one in [*self.running, number]]
        return (
            sum(job.cpus for job in now) <= self.cpus
            and sum(job.memory for job in now) <= self.memory
        )

    def _work(self, number: int, advance: Callable[[int], None]) -> None:
        try:
            self.results[number] = self.jobs[number].work()
        except BaseException as raised:
            self.raised = raised
        with self.changed:
            self.running.discard(number)
            self.changed.notify_all()
        advance(1)
