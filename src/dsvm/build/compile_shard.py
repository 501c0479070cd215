"""Runs in the sandbox with the environment's Python: compiles the modules a file lists.

Groups of names are parted by empty lines; each is compiled by a fork of this process.
"""

import os
import py_compile
import sys
import warnings
from pathlib import Path


def main(root: str, names: str) -> None:
    warnings.simplefilter("ignore")
    for number in range(Path(names).read_text().count("\n\n") + 1):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                compile_group(root, Path(names).read_text().split("\n\n")[number].splitlines())
                status = 0
            finally:
                os._exit(status)
        if os.waitpid(child, 0)[1]:
            sys.exit(f"group {number} of {names} was not compiled")


def compile_group(root: str, files: list[str]) -> None:
    for name in files:
        try:
            py_compile.compile(
                f"{root}/{name}",
                dfile=name,
                doraise=True,
                quiet=1,
                invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP,
            )
        except (py_compile.PyCompileError, UnicodeDecodeError, ValueError, RecursionError):
            continue


if __name__ == "__main__":
    main(*sys.argv[1:])
