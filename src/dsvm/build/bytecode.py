"""Compiles a tree's Python files so that the same sources give the same bytes.

`compileall -j` is not reproducible: what a process compiled before changes how it marshals the
next file. So files are dealt out to a fixed number of lists, each compiled by a process of its
own in one order with PYTHONHASHSEED=0. The byte code is checked by the source's time (not its
hash), which the frozen file system fixes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

from dsvm.build.sandbox import Sandbox

# More than any number of files would change the bytes, so this is a constant, not the CPUs.
SHARDS = 4
# A third of all byte code is that of the packages' own tests, which hardly anyone runs.
_NEEDLESS = "tests"


def compile_tree(
    tree: Path, seen_as: str, sandbox: Sandbox, log: Path, compiled: Callable[[], None]
) -> None:
    """Compile the modules below `tree`, which `sandbox` sees as `seen_as`, with its Python.

    `compiled` is called after each of the `SHARDS`. Files that are no valid Python (templates,
    tests of syntax errors) are left alone.
    """
    program = resources.files("dsvm.build").joinpath("compile_shard.py").read_text()
    modules = (path.relative_to(tree) for path in tree.glob("lib/**/*.py"))
    files = sorted(path.as_posix() for path in modules if _NEEDLESS not in path.parts)

    def compile_shard(shard: int) -> None:
        python = f"{seen_as}/bin/python"
        names = tree.parent / f"shard-{shard}"
        names.write_text("\n".join(files[shard::SHARDS]))
        sandbox.run([python, "-c", program, seen_as, f"/build/scratch/{names.name}"], log=log)
        compiled()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(compile_shard, range(SHARDS)))
