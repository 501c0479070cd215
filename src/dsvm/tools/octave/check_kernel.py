"""Cells of a notebook share their variables, say what they print, and tell an error as one."""

from importlib.metadata import version

import dsvm_check
import dsvm_kernel

dsvm_check.lives_in("octave")
dsvm_check.say(["octave-cli", "--version"])  # without it the kernel would say nothing for long
with dsvm_kernel.started("octave") as cell:
    begun = cell("a = magic(4);\nb = sum(a(:));").strip()
    assert begun == "", f"the kernel begins with {begun}"
    summed = cell("printf('%d %s', b, mat2str(sum(a)))").strip()
    assert summed == "136 [34 34 34 34]", f"the kernel's sum is {summed!r}"
    try:
        told = cell("nowhere + 1")
    except dsvm_kernel.Refused as refused:
        told = str(refused)
    assert "'nowhere' undefined" in told, f"the kernel takes nonsense: {told}"
dsvm_check.passed(versions={"octave-kernel": version("octave-kernel")})
