"""Cells of a notebook share what they define, print and give values, and tell an error as one."""

from importlib.metadata import version

import dsvm_check
import dsvm_kernel

dsvm_check.lives_in("julia")
with dsvm_kernel.started("julia") as cell:
    begun = cell("f(n) = n < 2 ? n : f(n - 1) + f(n - 2)\nx = map(f, 1:10);")
    assert begun == "", f"the kernel begins with {begun!r}"
    summed = cell('print("sum ")\nprintln(sum(x))')
    assert summed == "sum 143\n", f"the kernel's sum is {summed!r}"
    value = cell("x'x == 4895 && [f(10) 1//3]")
    assert value.split() == ["1×2", "Array{Rational{Int64},2}:", "55//1", "1//3"] or (
        value.split() == ["1×2", "Matrix{Rational{Int64}}:", "55//1", "1//3"]
    ), f"the kernel's value is {value!r}"
    try:
        told = cell("nowhere + 1")
    except dsvm_kernel.Refused as refused:
        told = str(refused)
    assert "UndefVarError: nowhere not defined" in told.replace("`", ""), f"the kernel says: {told}"
dsvm_check.passed(versions={"ipykernel": version("ipykernel")})
