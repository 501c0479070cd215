"""Runs in the sandbox with the environment's own Python: compiles the modules a file lists."""

import py_compile
import sys
import warnings
from pathlib import Path


def main(root: str, names: str) -> None:
    warnings.simplefilter("ignore")
    for name in Path(names).read_text().splitlines():
        try:
            py_compile.compile(
                f"{root}/{name}",
                doraise=True,
                quiet=1,
                invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP,
            )
        except (py_compile.PyCompileError, UnicodeDecodeError, ValueError, RecursionError):
            continue


if __name__ == "__main__":
    main(*sys.argv[1:])
