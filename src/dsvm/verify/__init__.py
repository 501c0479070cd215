"""Runs the checks of a machine's tools inside it and writes the report."""

from dsvm.verify.model import CheckResult, Report, Summary
from dsvm.verify.run import verify

__all__ = ["CheckResult", "Report", "Summary", "verify"]
