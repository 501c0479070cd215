"""What a job needs before it runs: memory, time, and the size of a machine that fits.

`job` says what is asked, `environment` finds a Python that has torch, `work` runs the standalone
programs of `inside/` with it, `trace` reads what they saw, `memory` and `steptime` work out what
that means on a device, `choose` which size fits.
"""
