"""Downloads files by digest into the store: in parallel, resumed, retried, verified.

A mirror may be dead, slow, hanging, or answer with something else entirely (a login page). Each
address is tried a limited number of times, then the next one; what arrived is kept only if its
sha256 is the wanted one.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from dsvm.errors import DsvmError
from dsvm.patience import patience
from dsvm.progress import Progress, Silent, Step
from dsvm.store import DamagedBlob, Store, Writer, binary_size

PARALLEL = 8
CHUNK = 256 * 1024
# How much longer than the wanted file another one may be whose digest shall be told.
_LONGER = 64 * 1024**2
_GONE = (404, 410)


@dataclass(frozen=True)
class Limits:
    """How patient a download is. Times in seconds, `slowest` in bytes a second over `window_s`."""

    tries: int = 4
    pause_s: float = 0.5
    silence_s: float = 30.0
    window_s: float = 30.0
    slowest: float = 2048.0

    @classmethod
    def usual(cls) -> Limits:
        """As patient as `DSVM_PATIENCE` says."""
        factor = patience()
        return cls(
            silence_s=cls.silence_s * factor,
            window_s=cls.window_s * factor,
            slowest=cls.slowest / factor,
        )


@dataclass(frozen=True)
class Want:
    """A file, its sha256 (hex), its size in bytes if known, and where it may be, best first.

    `proxy` is used for http addresses instead of what the environment says. `whole`: another file
    that comes instead is read to its end, too, within bounds, so that its digest can be told.
    """

    name: str
    sha256: str
    size: int | None
    urls: tuple[str, ...]
    proxy: str | None = None
    whole: bool = False


@dataclass(frozen=True)
class Failure:
    """Why a file could not be had. `gone`: every address answered, and none has it any more.

    `found` is the sha256 of the other file that came instead, where one came whole.
    """

    want: Want
    reason: str
    gone: bool
    found: str | None = None


class FetchFailed(DsvmError):
    """Some files could not be had; `failures` says which and why."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        shown = [f"{failure.want.name}: {failure.reason}" for failure in failures[:8]]
        if len(failures) > len(shown):
            shown.append(f"and {len(failures) - len(shown)} more")
        count = "one file" if len(failures) == 1 else f"{len(failures)} files"
        super().__init__(
            f"{count} could not be fetched",
            cause="\n".join(shown),
            remedy="see that the sources are reached (`dsvm doctor`), then run it again: "
            "what was fetched is kept",
        )
        self.failures = tuple(failures)


class _Fault(Exception):
    """One try failed. `final`: another try at this address is of no use."""

    def __init__(
        self, reason: str, *, final: bool = False, gone: bool = False, found: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.gone = gone
        self.found = found


def download(
    wants: Iterable[Want], store: Store, progress: Progress, *, limits: Limits | None = None
) -> None:
    """Put every wanted file in the store; what is there already is not fetched again.

    Raises `FetchFailed` with all that could not be had, after all others were; `StoreFull` at
    once.
    """
    missing = {want.sha256: want for want in wants if not store.sound(want.sha256, want.size)}
    if not missing:
        return
    total = sum(want.size or 0 for want in missing.values())
    limits = limits or Limits.usual()
    stop = Event()
    with (
        _clients(missing.values(), limits) as clients,
        progress.step(f"fetching {len(missing)} files", total) as step,
        ThreadPoolExecutor(PARALLEL, "fetch") as pool,
    ):
        # Large files first, else the last one alone decides how long it takes.
        ordered = sorted(missing.values(), key=lambda want: -(want.size or 0))
        jobs = [
            pool.submit(_Job(want, store, step, clients[want.proxy], limits, stop).run)
            for want in ordered
        ]
        try:
            failures = [failure for job in jobs if (failure := job.result())]
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if failures:
        raise FetchFailed(sorted(failures, key=lambda failure: failure.want.name))


def take(url: str, store: Store, *, limits: Limits | None = None) -> tuple[str, int]:
    """Fetch a file whose digest is not known yet; its sha256 and size. Raises `FetchFailed`."""
    limits = limits or Limits.usual()
    with client(timeout_s=limits.silence_s) as http, Silent().step("") as step, store.using():
        want = Want(public(url), "", None, (url,))
        job = _Job(want, store, step, http, limits, Event())
        with store.writer() as writer:
            fault = job.tries(url, writer)
            if fault:
                raise FetchFailed([Failure(want, fault.reason, fault.gone)])
        return writer.digest, writer.size


def client(*, timeout_s: float, proxy: str | None = None) -> httpx.Client:
    """An HTTP client that trusts what the host trusts and uses the environment's proxies."""
    return httpx.Client(
        follow_redirects=True,
        timeout=timeout_s,
        verify=_trusted(),
        proxy=proxy,
        limits=httpx.Limits(max_connections=4 * PARALLEL, max_keepalive_connections=PARALLEL),
        headers={"User-Agent": "dsvm", "Accept-Encoding": "identity"},
    )


def size_of(url: str) -> int:
    """How many bytes the file at the address has. Raises `DsvmError`."""
    parts = urlsplit(url)
    try:
        if parts.scheme == "file":
            return Path(unquote(parts.path)).stat().st_size
        with client(timeout_s=Limits.usual().silence_s) as http:
            return int(http.head(url).raise_for_status().headers["Content-Length"])
    except (OSError, httpx.HTTPError, KeyError, ValueError) as fault:
        raise DsvmError(
            f"the size of {public(url)} could not be found out", cause=_reason(fault)
        ) from fault


def public(url: str) -> str:
    """The address without user, password and query: what may be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


@cache
def _trusted() -> ssl.SSLContext:
    """What OpenSSL trusts on this host (and `SSL_CERT_FILE`); httpx alone would ask certifi."""
    return ssl.create_default_context()


@contextmanager
def _clients(wants: Iterable[Want], limits: Limits) -> Iterator[Mapping[str | None, httpx.Client]]:
    """One client for each proxy."""
    clients = {
        proxy: client(timeout_s=limits.silence_s, proxy=proxy)
        for proxy in {want.proxy for want in wants}
    }
    try:
        yield clients
    finally:
        for each in clients.values():
            each.close()


@dataclass
class _Job:
    """The download of one file."""

    want: Want
    store: Store
    step: Step
    http: httpx.Client
    limits: Limits
    stop: Event

    def run(self) -> Failure | None:
        faults: list[_Fault] = []
        with self.store.using():
            for url in self.want.urls:
                fault = self._from(url)
                if fault is None:
                    return None
                faults.append(fault)
        reasons = "; ".join(
            f"{public(url)}: {fault.reason}"
            for url, fault in zip(self.want.urls, faults, strict=True)
        )
        gone = all(fault.gone for fault in faults)
        found = next((fault.found for fault in faults if fault.found), None)
        return Failure(self.want, reasons or "no source has it", gone, found)

    def _from(self, url: str) -> _Fault | None:
        """None once the file is in the store, else the last fault."""
        got = 0
        try:
            with self.store.writer(self.want.sha256, self.want.size) as writer:
                fault = self.tries(url, writer)
                got = writer.size
                if fault:
                    raise fault
        except _Fault as fault:
            self.step.advance(-got)
            return fault
        except DamagedBlob:
            self.step.advance(-got)
            told = f"sent {binary_size(got)} of something else (the sha256 differs)"
            return _Fault(told, found=writer.digest)
        return None

    def tries(self, url: str, writer: Writer) -> _Fault | None:
        fault = None
        for count in range(self.limits.tries):
            if self.stop.wait(self.limits.pause_s * 2 ** (count - 1) if count else 0):
                return _Fault("given up", final=True)
            try:
                self._try(url, writer)
            except _Fault as failed:
                fault = failed
            except (OSError, httpx.HTTPError, httpx.InvalidURL) as failed:
                fault = _Fault(_reason(failed))
            else:
                return None
            if fault.final:
                return fault
        return _Fault(f"{fault.reason} ({self.limits.tries} tries)") if fault else None

    def _try(self, url: str, writer: Writer) -> None:
        if url.startswith("file:"):
            self._copy(Path(unquote(urlsplit(url).path)), writer)
            return
        headers = {"Range": f"bytes={writer.size}-"} if writer.size else {}
        with self.http.stream("GET", url, headers=headers) as answer:
            self._look(answer, writer)
            self._take(answer, writer)
        if self.want.size is not None and not self.want.whole and writer.size < self.want.size:
            raise _Fault(f"ended after {binary_size(writer.size)}")

    def _copy(self, path: Path, writer: Writer) -> None:
        self._restart(writer)
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    self._keep(chunk, writer)
        except FileNotFoundError:
            raise _Fault("no such file", final=True, gone=True) from None

    def _look(self, answer: httpx.Response, writer: Writer) -> None:
        """Is this the file, or the rest of it?"""
        if answer.status_code in _GONE:
            raise _Fault(f"answered {answer.status_code}", final=True, gone=True)
        if answer.status_code >= 400:
            retried = answer.status_code >= 500 or answer.status_code in (408, 416, 425, 429)
            self._restart(writer)
            raise _Fault(f"answered {answer.status_code}", final=not retried)
        begins = answer.headers.get("Content-Range", "").startswith(f"bytes {writer.size}-")
        if writer.size and not (answer.status_code == 206 and begins):
            self._restart(writer)

    def _take(self, answer: httpx.Response, writer: Writer) -> None:
        since, before = time.monotonic(), writer.size
        for chunk in answer.iter_raw():  # as it comes: a size would wait for it, also forever
            self._keep(chunk, writer)
            now = time.monotonic()
            if now - since > self.limits.window_s:
                if writer.size - before < self.limits.slowest * (now - since):
                    raise _Fault(
                        f"too slow: {binary_size(writer.size - before)} in {now - since:.0f} s"
                    )
                since, before = now, writer.size

    def _keep(self, chunk: bytes, writer: Writer) -> None:
        if self.stop.is_set():
            raise _Fault("given up", final=True)
        size, spare = self.want.size, _LONGER if self.want.whole else 0
        if size is not None and writer.size + len(chunk) > size + spare:
            raise _Fault(f"sent more than {binary_size(size)}: something else", final=True)
        writer.write(chunk)
        self.step.advance(len(chunk))

    def _restart(self, writer: Writer) -> None:
        self.step.advance(-writer.size)
        writer.restart()


def _reason(fault: Exception) -> str:
    match fault:
        case httpx.TimeoutException():
            return "no answer in time"
        case httpx.HTTPStatusError():
            return f"answered {fault.response.status_code}"
        case OSError(strerror=str(text)):
            return text
    return str(fault) or type(fault).__name__
