"""Asks the Python index as the lock will: by uv, with the host's own pip or uv configuration."""

from __future__ import annotations

import uv

from dsvm.lock.pythonhost import python_host
from dsvm.programs import run

TIMEOUT_S = 30


def ask_index() -> str:
    """Resolve one small package; says so. Raises `ProgramFailed`."""
    argv = [uv.find_uv_bin(), "pip", "compile", "-", "--no-deps", "--no-cache", "--quiet"]
    env = python_host({}).uv_env(find_links=False)
    run(argv, env=env, stdin=b"pip\n", timeout_s=TIMEOUT_S)
    return "answers"
