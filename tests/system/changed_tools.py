"""Which tools a run of the tests breaks: a fixed few, those that changed, or all."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tests.system.typed import CHECKOUT

# Two languages, an app, an environment, two frameworks, two programs of the OS, a server.
FIXED = ("python", "r", "jupyterlab", "xgboost", "git", "vim", "pytorch", "postgresql")
# A changed tool costs a minute or two: building what it needs, and proving it twice for each break.
MOST_CHANGED = 4
# On the main branch itself: what the last commits changed.
LAST_COMMITS = 8
TOOLS = "src/dsvm/tools"
LONG = "run ./test --long"


def left_out(tools: Collection[str], changed: Sequence[str], *, long: bool) -> dict[str, str]:
    """Tool -> why this run does not break it. `changed`: the latest first."""
    chosen = {*FIXED, *changed[:MOST_CHANGED]}
    if long:
        return {}
    more = f"changed, but {MOST_CHANGED} others changed later: {LONG}"
    reasons = {name: more for name in changed if name not in chosen}
    same = f"neither one of the fixed {len(FIXED)} nor changed: {LONG}"
    return {name: reasons.get(name, same) for name in sorted(tools) if name not in chosen}


def changed_tools(checkout: Path = CHECKOUT, env: Mapping[str, str] = os.environ) -> list[str]:
    """Tools whose folders changed since the branch began, uncommitted ones first, then by commit.

    `DSVM_TEST_SINCE` names another commit to begin at. Without git there are none.
    """
    try:
        since = env.get("DSVM_TEST_SINCE") or _since(checkout)
        files = _git(checkout, "status", "--porcelain", "--untracked-files=all", "--", TOOLS)
        paths = [line[3:] for line in files.splitlines()]
        log = ("log", "--format=", "--name-only", f"{since}..HEAD", "--", TOOLS)
        paths += _git(checkout, *log).splitlines()
    except (OSError, subprocess.CalledProcessError):
        return []
    parts = (Path(path).parts for path in paths if path)
    return list(dict.fromkeys(part[3] for part in parts if len(part) > 4))


def _since(checkout: Path) -> str:
    """Where this branch left the main one; on that one itself some commits back."""
    for main in ("origin/HEAD", "origin/main", "main"):
        found = _git(checkout, "rev-parse", "--verify", "--quiet", main, check=False)
        if found:
            base = _git(checkout, "merge-base", "HEAD", main, check=False)
            if base and base != _git(checkout, "rev-parse", "HEAD"):
                return base
            break
    commits = _git(checkout, "rev-list", "--first-parent", f"-{LAST_COMMITS + 1}", "HEAD")
    return commits.splitlines()[-1]


def _git(checkout: Path, *words: str, check: bool = True) -> str:
    # Hooks and other callers' variables must not lead to another repository.
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    argv = ["git", "-c", f"safe.directory={checkout}", "-C", str(checkout), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=check, env=env)
    return done.stdout.strip("\n")
