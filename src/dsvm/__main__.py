"""`python -m dsvm`."""

from dsvm.cli import main

main()
