"""What NVIDIA's management library says of the GPUs: NVML, by ctypes.

Functions, structures and numbers: https://docs.nvidia.com/deploy/nvml-api/.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dsvm.guest.cuda import version

LIBRARY = "libnvidia-ml.so.1"
SUCCESS, NOT_SUPPORTED, NOT_FOUND = 0, 3, 6
DRIVER_NOT_LOADED, VERSION_MISMATCH = 9, 18
_NAME_BYTES = 96


class NvmlError(Exception):
    """The library is not there (`status` is None), or refuses, with this status."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Slice:
    """A part of a GPU that MIG made: `memory` in bytes."""

    name: str
    memory: int


@dataclass(frozen=True)
class Told:
    """One GPU. `address` as in sysfs, `memory` in bytes, `capability` as in `9.0`.

    `mig`: whether the GPU is divided; None where it cannot be.
    """

    name: str
    address: str
    memory: int
    capability: str
    mig: bool | None
    slices: tuple[Slice, ...]


@dataclass(frozen=True)
class Answer:
    """`driver`: its version; `cuda`: the newest CUDA that it knows, as in `12.4`."""

    driver: str
    cuda: str
    gpus: tuple[Told, ...]


def ask(library: str = LIBRARY) -> Answer:
    """Raises `NvmlError`."""
    with _opened(library) as nvml:
        count = nvml.number("nvmlDeviceGetCount_v2")
        return Answer(
            driver=nvml.text("nvmlSystemGetDriverVersion"),
            cuda=version(nvml.number("nvmlSystemGetCudaDriverVersion_v2")),
            gpus=tuple(_gpu(nvml, nvml.handle("nvmlDeviceGetHandleByIndex_v2", index))
                       for index in range(count)),
        )  # fmt: skip


@dataclass(frozen=True)
class Use:
    """Of all GPUs together: bytes of their memory in use, and the mean share of time (0 to 1) in
    which they worked."""

    memory: int
    busy: float


@contextmanager
def watched(library: str = LIBRARY) -> Iterator[Callable[[], Use]]:
    """A function that tells their use now. Raises `NvmlError`, also from within it."""
    with _opened(library) as nvml:
        count = nvml.number("nvmlDeviceGetCount_v2")
        gpus = [nvml.handle("nvmlDeviceGetHandleByIndex_v2", index) for index in range(count)]
        if not gpus:
            raise NvmlError("the driver counts no GPU")
        yield lambda: Use(
            sum(nvml.used(gpu) for gpu in gpus), sum(nvml.busy(gpu) for gpu in gpus) / len(gpus)
        )


class _Utilization(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint) for name in ("gpu", "memory")]


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class _Pci(ctypes.Structure):
    _fields_ = [
        ("legacy", ctypes.c_char * 16),
        *((name, ctypes.c_uint) for name in ("domain", "bus", "device", "id", "subsystem")),
        ("bus_id", ctypes.c_char * 32),
    ]


@dataclass(frozen=True)
class _Nvml:
    library: ctypes.CDLL

    def call(self, name: str, *arguments: object) -> None:
        status = self._status(name, *arguments)
        if status != SUCCESS:
            self.library.nvmlErrorString.restype = ctypes.c_char_p
            said = self.library.nvmlErrorString(status)
            raise NvmlError(f"{name}: {said.decode() if said else status}", status)

    def number(self, name: str, *arguments: object) -> int:
        value = ctypes.c_int()
        self.call(name, *arguments, ctypes.byref(value))
        return value.value

    def text(self, name: str, *arguments: object) -> str:
        value = ctypes.create_string_buffer(_NAME_BYTES)
        self.call(name, *arguments, value, len(value))
        return value.value.decode()

    def handle(self, name: str, *arguments: object) -> ctypes.c_void_p:
        value = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(value))
        return value

    def memory(self, gpu: ctypes.c_void_p) -> int:
        return int(self._memory(gpu).total)

    def used(self, gpu: ctypes.c_void_p) -> int:
        return int(self._memory(gpu).used)

    def _memory(self, gpu: ctypes.c_void_p) -> _Memory:
        told = _Memory()
        self.call("nvmlDeviceGetMemoryInfo", gpu, ctypes.byref(told))
        return told

    def busy(self, gpu: ctypes.c_void_p) -> float:
        told = _Utilization()
        self.call("nvmlDeviceGetUtilizationRates", gpu, ctypes.byref(told))
        return int(told.gpu) / 100

    def _status(self, name: str, *arguments: object) -> int:
        try:
            function = getattr(self.library, name)
        except AttributeError:  # a library that is older than the question
            return NOT_SUPPORTED
        return int(function(*arguments))


@contextmanager
def _opened(library: str) -> Iterator[_Nvml]:
    try:
        nvml = _Nvml(ctypes.CDLL(library))
    except OSError as missing:
        raise NvmlError(str(missing)) from None
    nvml.call("nvmlInit_v2")
    try:
        yield nvml
    finally:
        nvml.call("nvmlShutdown")


def _gpu(nvml: _Nvml, gpu: ctypes.c_void_p) -> Told:
    pci = _Pci()
    nvml.call("nvmlDeviceGetPciInfo_v3", gpu, ctypes.byref(pci))
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvml.call("nvmlDeviceGetCudaComputeCapability", gpu, ctypes.byref(major), ctypes.byref(minor))
    mig = _mig(nvml, gpu)
    return Told(
        name=nvml.text("nvmlDeviceGetName", gpu),
        address=f"{pci.domain:04x}:{pci.bus:02x}:{pci.device:02x}.0",
        memory=nvml.memory(gpu),
        capability=f"{major.value}.{minor.value}",
        mig=mig,
        slices=tuple(_slices(nvml, gpu)) if mig else (),
    )


def _mig(nvml: _Nvml, gpu: ctypes.c_void_p) -> bool | None:
    pending = ctypes.c_uint()
    try:
        current = ctypes.c_uint()
        nvml.call("nvmlDeviceGetMigMode", gpu, ctypes.byref(current), ctypes.byref(pending))
    except NvmlError as refused:
        if refused.status != NOT_SUPPORTED:
            raise
        return None
    return bool(current.value)


def _slices(nvml: _Nvml, gpu: ctypes.c_void_p) -> Iterator[Slice]:
    for index in range(nvml.number("nvmlDeviceGetMaxMigDeviceCount", gpu)):
        try:
            part = nvml.handle("nvmlDeviceGetMigDeviceHandleByIndex", gpu, index)
        except NvmlError as empty:
            if empty.status != NOT_FOUND:
                raise
            continue
        yield Slice(nvml.text("nvmlDeviceGetName", part), nvml.memory(part))
