"""The driver runs a kernel on the GPU, the result compared with the known one; tells the GPU.

Speaks to the driver (libcuda) alone, with a kernel in its assembly language PTX, so that it
proves driver and GPU whatever libraries there are: https://docs.nvidia.com/cuda/cuda-driver-api/
"""

import ctypes
import os
import sys
from pathlib import Path

import dsvm_check

N, THREADS = 1 << 20, 256
COMPUTE_MAJOR, COMPUTE_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
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


def nvidia_devices():
    """PCI addresses of NVIDIA's display and 3D controllers (vendor 10de, class 03)."""
    found = []
    for device in Path("/sys/bus/pci/devices").glob("*"):
        vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        if vendor == "0x10de" and kind.startswith("0x03"):
            found.append(device.name)
    return found


def reached():
    """Whether device nodes of the driver are here: in a machine without them there is no GPU."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


if not reached():
    if os.environ.get("DSVM_VARIANT") == "nvidia":
        sys.exit("the nvidia build is mounted, but there is no GPU")
    # Under `nspawn` the host's PCI devices are seen, whether or not the machine was given them.
    there = (
        f" (PCI shows {', '.join(devices)}, not given to it)"
        if (devices := nvidia_devices())
        else ""
    )
    print(f"no GPU{there}")
    sys.exit(77)

try:
    driver = ctypes.CDLL("libcuda.so.1")
except OSError as missing:
    sys.exit(f"there is a GPU, but its driver's library is not here: {missing}")


def call(name, *arguments):
    status = getattr(driver, name)(*arguments)
    if status:
        text = ctypes.c_char_p()
        driver.cuGetErrorString(status, ctypes.byref(text))
        sys.exit(f"{name} fails: {text.value.decode() if text.value else status}")


def number(name, *arguments):
    value = ctypes.c_int()
    call(name, ctypes.byref(value), *arguments)
    return value.value


call("cuInit", 0)
assert number("cuDeviceGetCount") > 0, "the driver sees no GPU"
device = number("cuDeviceGet", 0)
label = ctypes.create_string_buffer(100)
call("cuDeviceGetName", label, len(label), device)
memory = ctypes.c_size_t()
call("cuDeviceTotalMem_v2", ctypes.byref(memory), device)
capability = ".".join(
    str(number("cuDeviceGetAttribute", which, device)) for which in (COMPUTE_MAJOR, COMPUTE_MINOR)
)

context, module, kernel = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
call("cuCtxSetCurrent", context)
call("cuModuleLoadData", ctypes.byref(module), PTX)
call("cuModuleGetFunction", ctypes.byref(kernel), module, b"scale")
values = (ctypes.c_float * N)(*range(N))
there = ctypes.c_uint64()
call("cuMemAlloc_v2", ctypes.byref(there), ctypes.c_size_t(ctypes.sizeof(values)))
call("cuMemcpyHtoD_v2", there, values, ctypes.c_size_t(ctypes.sizeof(values)))
factor = ctypes.c_float(3.0)
arguments = (ctypes.c_void_p * 2)(ctypes.addressof(there), ctypes.addressof(factor))
call("cuLaunchKernel", kernel, N // THREADS, 1, 1, THREADS, 1, 1, 0, None, arguments, None)
call("cuCtxSynchronize")
call("cuMemcpyDtoH_v2", values, there, ctypes.c_size_t(ctypes.sizeof(values)))
call("cuMemFree_v2", there)
# Whole numbers below 2^24 are exact in float32.
wrong = sum(values[i] != 3.0 * i for i in range(N))
assert wrong == 0, f"{wrong} of {N} numbers came back wrong from the GPU"
cuda = number("cuDriverGetVersion")
dsvm_check.passed(
    device="cuda",
    gpu=label.value.decode(),
    memory_gib=round(memory.value / 1024**3, 1),
    compute_capability=capability,
    versions={"CUDA of the driver": f"{cuda // 1000}.{cuda % 1000 // 10}"},
)
