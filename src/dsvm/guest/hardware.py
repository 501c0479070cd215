"""What this computer is, and which accelerator is really usable on it.

A GPU that is there but cannot be used is told with its cause, never passed over.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsvm.guest import cuda, gpu_faults, nvml
from dsvm.guest.driver_set import DriverSet, driver_set
from dsvm.guest.gpu_faults import Fault
from dsvm.guest.gpus import Gpu, gpus
from dsvm.guest.processors import Memory, Processors, memory, processors


@dataclass(frozen=True)
class Nvidia:
    """Whether a GPU of NVIDIA is there and a kernel ran on it; else `fault` says why not.

    `driver`: its version; `cuda`: the newest that it knows, as in `12.4`; `capability`: of the
    first GPU, as in `9.0`.
    """

    present: bool
    fault: Fault | None = None
    driver: str | None = None
    cuda: str | None = None
    capability: str | None = None

    @property
    def usable(self) -> bool:
        return self.present and self.fault is None

    def fault_of(self, wanted: str | None) -> Fault | None:
        """Why a build for this CUDA cannot use it."""
        return self.fault or gpu_faults.of_toolkit(self.cuda, self.capability, wanted)


@dataclass(frozen=True)
class Hardware:
    """`kernel`: its release. `container`: PCI devices are the host's, given or not. `driver_set`:
    what a driver of its own is kept together with."""

    processors: Processors
    memory: Memory
    gpus: tuple[Gpu, ...]
    nvidia: Nvidia
    kernel: str
    container: bool
    driver_set: DriverSet | None

    def json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Look:
    """Where to look: the real computer, or one that was recorded."""

    root: Path = Path("/")
    kernel: str = os.uname().release
    opens: gpu_faults.Opens = gpu_faults.opens
    ask: Callable[[], nvml.Answer] = nvml.ask
    attempt: Callable[[], cuda.Attempt] = cuda.attempt

    @property
    def container(self) -> bool:
        return (self.root / "run/systemd/container").exists()

    def hardware(self) -> Hardware:
        """All of it. Raises `OSError` where there is no /proc."""
        answer, error = self._asked()
        found = gpus(self.root, answer)
        return Hardware(
            processors=processors(self.root),
            memory=memory(self.root),
            gpus=found,
            nvidia=self._nvidia(found, answer, error),
            kernel=self.kernel,
            container=self.container,
            driver_set=driver_set(self.root),
        )

    def nvidia(self) -> Nvidia:
        """Only whether a GPU can be used."""
        answer, error = self._asked()
        return self._nvidia(gpus(self.root, answer), answer, error)

    def _asked(self) -> tuple[nvml.Answer | None, nvml.NvmlError | None]:
        if not self._loaded:
            return None, None
        try:
            return self.ask(), None
        except nvml.NvmlError as refused:
            return None, refused

    @property
    def _loaded(self) -> bool:
        return (self.root / "proc/driver/nvidia/version").exists()

    def _nvidia(
        self, found: tuple[Gpu, ...], answer: nvml.Answer | None, error: nvml.NvmlError | None
    ) -> Nvidia:
        gpu = self._given(found)
        if not gpu:
            return Nvidia(False)
        if self.container and not self._loaded:
            text = "the host gave it, but the host's kernel has not loaded NVIDIA's driver"
            return Nvidia(True, Fault("host", text, "`dsvm hardware` on the host says why"))
        fault = gpu_faults.of_kernel(self.root, gpu, self.kernel)
        fault = fault or gpu_faults.of_nodes(self.root, gpu, self.opens)
        if fault:
            return Nvidia(True, fault)
        tried = self.attempt()
        return Nvidia(
            present=True,
            fault=gpu_faults.of_library(error, tried),
            driver=answer.driver if answer else None,
            cuda=tried.cuda or (answer.cuda if answer else None),
            capability=tried.capability or gpu.capability,
        )

    def _given(self, found: tuple[Gpu, ...]) -> Gpu | None:
        """The first GPU of NVIDIA that this system may use."""
        nvidia = [gpu for gpu in found if gpu.vendor == "NVIDIA"]
        nodes = sorted(
            node.name
            for node in (self.root / "dev").glob("nvidia[0-9]*")
            if node.name.removeprefix("nvidia").isdigit()
        )
        if not self.container:
            return nvidia[0] if nvidia else None
        if not nodes:
            return None
        of_node = [gpu for gpu in nvidia if gpu.node == f"/dev/{nodes[0]}"]
        unknown = Gpu("NVIDIA", "NVIDIA GPU", "", node=f"/dev/{nodes[0]}")
        return of_node[0] if of_node else unknown


def rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    """What `Hardware.json` holds, for people: a thing, and what is known of it."""
    cpu, ram, nvidia = told["processors"], told["memory"], told["nvidia"]
    plural = "s" if cpu["cores"] > 1 else ""
    limited = f", {cpu['usable']:g} usable" if cpu["usable"] < cpu["threads"] else ""
    found = [
        ("processor", cpu["model"]),
        ("threads", f"{cpu['threads']} in {cpu['cores']} core{plural}{limited}"),
        ("features", ", ".join(cpu["features"]) or "none of those that matter"),
        ("memory", _gib(ram["total"]) + (f", {_gib(ram['usable'])} usable"
                                         if ram["usable"] < ram["total"] else "")),
        ("kernel", told["kernel"]),
        *(("GPU", _gpu_line(gpu)) for gpu in told["gpus"]),
    ]  # fmt: skip
    if not told["gpus"]:
        found.append(("GPU", "none"))
    if fault := nvidia["fault"]:
        found.append(("not used", f"{fault['text']}; {fault['remedy']}"))
    elif nvidia["present"]:
        driver = f"driver {nvidia['driver']}, " if nvidia["driver"] else ""
        found.append(("used", f"{driver}CUDA {nvidia['cuda']}: a kernel ran on it"))
    elif told["container"] and any(gpu["vendor"] == "NVIDIA" for gpu in told["gpus"]):
        found.append(("not given", "it is the host's, which did not give it to this machine"))
    if kept := told.get("driver_set"):
        goes = f"kernel {kept['kernel']}, CUDA up to {kept['cuda']}"
        found.append(("kept together", f"NVIDIA's driver {kept['version']}, {goes}"))
    return found


def _gpu_line(gpu: dict[str, Any]) -> str:
    said = [gpu["name"]]
    said += [_gib(gpu["memory"])] if gpu["memory"] else []
    said += [f"compute capability {gpu['capability']}"] if gpu["capability"] else []
    said += [f"driver `{gpu['module']}`" if gpu["module"] else "no driver holds it"]
    said += [f"at {gpu['address']}"] if gpu["address"] else []
    said += [f"divided into {len(gpu['slices'])} (MIG)"] if gpu["mig"] else []
    return ", ".join(said)


def _gib(count: int) -> str:
    return f"{count / 1024**3:.1f} GiB"
