"""Downloads against a real server on the loopback that misbehaves on purpose."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dsvm.fetch import FetchFailed, Limits, Want, download, public, size_of, take
from dsvm.progress import Silent, Step
from dsvm.store import Store

DATA = bytes(range(256)) * 4096  # 1 MiB
QUICK = Limits(tries=3, pause_s=0.001)
IMPATIENT = replace(QUICK, silence_s=0.2, window_s=0.05)
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Mirror

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        answers = self.server.answers.get(self.path)
        if not answers:
            self.reply(404)
            return
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def do_HEAD(self) -> None:
        self.do_GET()

    def reply(self, status: int, data: bytes = b"", length: int | None = None, **more: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        if length is not None and length > len(data):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


class Mirror(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.over = threading.Event()

    def url(self, path: str = "/file") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that gave up, on purpose


def whole(handler: Handler) -> None:
    handler.reply(200, DATA)


def half(handler: Handler) -> None:
    handler.reply(200, DATA[: len(DATA) // 2], length=len(DATA))


def rest(handler: Handler) -> None:
    start = int((handler.headers["Range"] or "").removeprefix("bytes=").rstrip("-"))
    span = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
    handler.reply(206, DATA[start:], Content_Range=span)


def status(code: int) -> Answer:
    return lambda handler: handler.reply(code, b"sorry")


def login_page(handler: Handler) -> None:
    handler.reply(200, b"<html>please sign in</html>")


def endless(handler: Handler) -> None:
    handler.reply(200, DATA + DATA)


def silence(handler: Handler) -> None:
    handler.server.over.wait(5)


def trickle(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(DATA)))
    handler.end_headers()
    while not handler.server.over.wait(0.02):
        handler.wfile.write(b"x")
        handler.wfile.flush()


@dataclass
class Counted(Silent):
    """Adds up what is reported as done."""

    done: int = 0
    totals: list[int | None] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, total: int | None = None, unit: str = "bytes") -> Iterator[Step]:
        self.totals.append(total)
        yield self

    def advance(self, amount: int) -> None:
        self.done += amount

    def say(self, text: str) -> None: ...


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    server = Mirror()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def want(*urls: str, data: bytes = DATA) -> Want:
    return Want("the file", hashlib.sha256(data).hexdigest(), len(data), urls)


def fetch(store: Store, *wants: Want, limits: Limits = QUICK) -> Counted:
    progress = Counted()
    download(wants, store, progress, limits=limits)
    return progress


def test_a_file_is_fetched_once_and_verified(mirror: Mirror, store: Store) -> None:
    mirror.answers["/file"] = [whole]
    wanted = want(mirror.url())
    progress = fetch(store, wanted, wanted)
    assert store.get(wanted.sha256).read_bytes() == DATA
    assert (progress.done, progress.totals) == (len(DATA), [len(DATA)])
    fetch(store, wanted)
    assert len(mirror.asked) == 1


def test_a_broken_transfer_goes_on_where_it_broke(mirror: Mirror, store: Store) -> None:
    mirror.answers["/file"] = [half, rest]
    progress = fetch(store, want(mirror.url()))
    assert [asked for _, asked in mirror.asked] == [None, f"bytes={len(DATA) // 2}-"]
    assert progress.done == len(DATA)


def test_a_mirror_that_cannot_resume_is_read_anew(mirror: Mirror, store: Store) -> None:
    mirror.answers["/file"] = [half, whole]
    assert fetch(store, want(mirror.url())).done == len(DATA)


@pytest.mark.parametrize("first", [status(503), status(429), silence, half])
def test_a_passing_fault_is_tried_again(mirror: Mirror, store: Store, first: Answer) -> None:
    mirror.answers["/file"] = [first, whole]
    wanted = want(mirror.url())
    fetch(store, wanted, limits=IMPATIENT if first is silence else QUICK)
    assert store.has(wanted.sha256)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (login_page, "ended after 27 B"),
        (endless, "sent more than 1.0 MiB: something else"),
        (status(500), "answered 500 (3 tries)"),
        (status(403), "answered 403"),
        (silence, "no answer in time (3 tries)"),
        (trickle, "too slow"),
    ],
)
def test_a_lasting_fault_ends_in_a_clear_error(
    mirror: Mirror, store: Store, fault: Answer, told: str
) -> None:
    mirror.answers["/file"] = [fault]
    with pytest.raises(FetchFailed) as failed:
        # Only where silence or slowness is the fault: a busy host is slow without one.
        fetch(store, want(mirror.url()), limits=IMPATIENT if fault in (silence, trickle) else QUICK)
    assert told in str(failed.value)
    assert not failed.value.failures[0].gone
    assert not list(store.root.rglob("*.partial"))


@pytest.mark.parametrize("other", [b"<html>log in</html>", bytes(len(DATA) + 1)])
def test_the_digest_of_another_file_is_told_where_it_is_asked_for(
    mirror: Mirror, store: Store, other: bytes
) -> None:
    mirror.answers["/file"] = [lambda handler: handler.reply(200, other)]
    with pytest.raises(FetchFailed) as failed:
        fetch(store, replace(want(mirror.url()), whole=True))

    assert failed.value.failures[0].found == hashlib.sha256(other).hexdigest()
    assert len(mirror.asked) == 1
    assert not list(store.root.glob("blobs/*/*"))


def test_bytes_with_another_digest_are_never_kept(mirror: Mirror, store: Store) -> None:
    mirror.answers["/file"] = [lambda handler: handler.reply(200, bytes(len(DATA)))]
    progress = Counted()
    with pytest.raises(FetchFailed, match="sha256 differs"):
        download([want(mirror.url())], store, progress, limits=QUICK)
    assert progress.done == 0
    assert not list(store.root.glob("blobs/*/*"))


def test_the_next_address_is_asked_when_one_fails(mirror: Mirror, store: Store) -> None:
    mirror.answers["/file"] = [whole]
    dead = "http://127.0.0.1:1/file"
    fetch(store, want(dead, mirror.url("/gone"), mirror.url()))
    assert [path for path, _ in mirror.asked] == ["/gone", "/file"]


def test_gone_is_only_what_every_address_denies(mirror: Mirror, store: Store) -> None:
    gone, unsure = want(mirror.url("/a"), mirror.url("/b")), want(mirror.url("/c"), "file:///x/y")
    dead = want("http://127.0.0.1:1/file", mirror.url("/a"), data=b"3")
    with pytest.raises(FetchFailed) as failed:
        fetch(store, gone, dead)
    assert {f.want.sha256: f.gone for f in failed.value.failures} == {
        gone.sha256: True,
        dead.sha256: False,
    }
    with pytest.raises(FetchFailed) as failed:
        fetch(store, unsure)
    assert failed.value.failures[0].gone


def test_one_failure_does_not_keep_the_others_from_coming(mirror: Mirror, store: Store) -> None:
    mirror.answers["/file"] = [whole]
    good, bad = want(mirror.url()), want(mirror.url("/no"), data=b"no")
    with pytest.raises(FetchFailed, match="one file could not be fetched"):
        fetch(store, bad, good)
    assert store.has(good.sha256)


def test_files_of_the_host_are_copied(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "a file.whl"
    file.write_bytes(DATA)
    fetch(store, want(file.as_uri()))
    assert size_of(file.as_uri()) == len(DATA)


def test_credentials_never_appear_in_an_error(mirror: Mirror, store: Store) -> None:
    address = mirror.url("/gone?token=geheim").replace("//", "//ada:geheim@")
    with pytest.raises(FetchFailed) as failed:
        fetch(store, want(address))
    assert "geheim" not in str(failed.value)
    assert public("https://u:p@h:1/x?q=1") == "https://h:1/x"


def test_a_file_of_unknown_digest_is_taken_whole(mirror: Mirror, store: Store) -> None:
    mirror.answers.update({"/file": [half, rest], "/other": [whole]})
    sha256, size = take(mirror.url(), store, limits=QUICK)
    assert (sha256, size) == (hashlib.sha256(DATA).hexdigest(), len(DATA))
    assert store.has(sha256, size)
    assert size_of(mirror.url("/other")) == len(DATA)


def test_taking_what_is_not_there_says_so(mirror: Mirror, store: Store) -> None:
    with pytest.raises(FetchFailed, match="answered 404"):
        take(mirror.url("/gone"), store, limits=QUICK)
