"""Benchmarks: what dsvm takes beside what a person would do instead, in the same run.

`python benchmarks/run_all.py` runs all of them (root, two quiet CPUs, under half an hour) and
writes docs/benchmarks.md anew. Each is a module of its own: `python -m benchmarks.rivals`.
"""
