"""From what is asked for to exact versions and digests, and from these to files in the store."""

from dsvm.lock.changes import Change, diff
from dsvm.lock.fetching import Vanished, fetch_all
from dsvm.lock.file import lock_text, read_lock, write_lock
from dsvm.lock.make import make_lock
from dsvm.lock.request import request_digest

__all__ = [
    "Change",
    "Vanished",
    "diff",
    "fetch_all",
    "lock_text",
    "make_lock",
    "read_lock",
    "request_digest",
    "write_lock",
]
