"""Runs a kernel on an NVIDIA GPU by its driver alone: a program of its own, `attempt` starts it.

A driver that hangs or crashes takes only that program with it. The kernel is in the driver's
assembly language, PTX, so that it proves GPU and driver whatever libraries there are.

Functions and numbers: https://docs.nvidia.com/cuda/cuda-driver-api/.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from dataclasses import dataclass

LIBRARY = "libcuda.so.1"
LIMIT_S = 60
N, THREADS = 1 << 16, 256
COMPUTE_MAJOR, COMPUTE_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
FACTOR = 3.0
PTX = b"""
.version 6.4
.target sm_50
.address_size 64
.visible .entry scale(.param .u64 values, .param .f32 factor)
{
  .reg .b32 %r<5>; .reg .b64 %d<4>; .reg .f32 %f<4>;
  ld.param.u64 %d1, [values];
  ld.param.f32 %f1, [factor];
  mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x;
  mad.lo.s32 %r4, %r1, %r2, %r3;
  mul.wide.s32 %d2, %r4, 4;
  add.s64 %d3, %d1, %d2;
  ld.global.f32 %f2, [%d3];
  mul.f32 %f3, %f2, %f1;
  st.global.f32 [%d3], %f3;
  ret;
}
"""


@dataclass(frozen=True)
class Attempt:
    """What came of it. With a `problem` it failed: of the library, of a function (with the
    driver's `status`), or of the numbers that came back."""

    problem: str | None = None
    status: int | None = None
    missing: bool = False
    capability: str | None = None
    cuda: str | None = None


def attempt(library: str = LIBRARY) -> Attempt:
    """Run the kernel on the first GPU, in a program of its own."""
    words = [sys.executable, "-IB", __file__, library]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return Attempt(f"the driver did not answer within {LIMIT_S} s")
    try:
        return Attempt(**json.loads(done.stdout))
    except (ValueError, TypeError):
        said = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
        return Attempt(f"the program that tried the driver ended: {said[0]}")


def version(number: int) -> str:
    """Of CUDA, as libraries tell it: 12040 is `12.4`."""
    return f"{number // 1000}.{number % 1000 // 10}"


class _Failed(Exception):
    def __init__(self, problem: str, status: int | None = None) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True)
class _Driver:
    library: ctypes.CDLL

    def call(self, name: str, *arguments: object) -> None:
        status = getattr(self.library, name)(*arguments)
        if status:
            text = ctypes.c_char_p()
            self.library.cuGetErrorString(status, ctypes.byref(text))
            said = text.value.decode() if text.value else str(status)
            raise _Failed(f"{name}: {said}", int(status))

    def number(self, name: str, *arguments: object) -> int:
        value = ctypes.c_int()
        self.call(name, ctypes.byref(value), *arguments)
        return value.value


def _tried(library: str) -> Attempt:
    try:
        driver = _Driver(ctypes.CDLL(library))
    except OSError as missing:
        return Attempt(str(missing), missing=True)
    try:
        driver.call("cuInit", 0)
        if not driver.number("cuDeviceGetCount"):
            return Attempt("the driver counts no GPU")
        return _run(driver)
    except _Failed as failed:
        return Attempt(str(failed), failed.status)


def _run(driver: _Driver) -> Attempt:
    device = driver.number("cuDeviceGet", 0)
    cuda = driver.number("cuDriverGetVersion")
    wrong = _wrong(driver, device)
    return Attempt(
        problem=f"{wrong} of {N} numbers came back wrong from the GPU" if wrong else None,
        capability=".".join(
            str(driver.number("cuDeviceGetAttribute", which, device))
            for which in (COMPUTE_MAJOR, COMPUTE_MINOR)
        ),
        cuda=version(cuda),
    )


def _wrong(driver: _Driver, device: int) -> int:
    """Numbers that the GPU multiplied wrongly. Whole ones below 2^24 are exact in float32."""
    context, module, kernel = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    driver.call("cuCtxSetCurrent", context)
    driver.call("cuModuleLoadData", ctypes.byref(module), PTX)
    driver.call("cuModuleGetFunction", ctypes.byref(kernel), module, b"scale")
    values = (ctypes.c_float * N)(*range(N))
    size, there = ctypes.c_size_t(ctypes.sizeof(values)), ctypes.c_uint64()
    driver.call("cuMemAlloc_v2", ctypes.byref(there), size)
    driver.call("cuMemcpyHtoD_v2", there, values, size)
    factor = ctypes.c_float(FACTOR)
    arguments = (ctypes.c_void_p * 2)(ctypes.addressof(there), ctypes.addressof(factor))
    grid = (N // THREADS, 1, 1, THREADS, 1, 1)
    driver.call("cuLaunchKernel", kernel, *grid, 0, None, arguments, None)
    driver.call("cuCtxSynchronize")
    driver.call("cuMemcpyDtoH_v2", values, there, size)
    driver.call("cuMemFree_v2", there)
    return sum(values[i] != FACTOR * i for i in range(N))


if __name__ == "__main__":
    print(json.dumps(_tried(sys.argv[1]).__dict__))
