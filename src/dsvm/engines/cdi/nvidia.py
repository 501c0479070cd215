"""A CDI file for NVIDIA's GPUs, made as `nvidia-ctk cdi generate` makes it, where that is missing.

Besides the device nodes a program needs the driver's libraries, of exactly the version of the
module that is loaded: they are those files of the linker's cache that end with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dsvm.engines.cdi.model import BindMount, Device, DeviceNode, Edits, Hook, Spec
from dsvm.errors import DsvmError
from dsvm.guest.gpus import nvidia_information
from dsvm.guest.system import text
from dsvm.programs import ProgramFailed, run, which

KIND = "nvidia.com/gpu"
ALL = f"{KIND}=all"
REFRESH = "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
CONTROL = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset")
NEEDED = CONTROL[:2]
PROGRAMS = (
    *("nvidia-smi", "nvidia-debugdump", "nvidia-persistenced"),
    *("nvidia-cuda-mps-control", "nvidia-cuda-mps-server"),
)
SOCKETS = ("/run/nvidia-persistenced/socket", "/run/nvidia-fabricmanager/socket")
FIRMWARE = ("/lib/firmware/nvidia", "/usr/lib/firmware/nvidia")
LIBRARY = "libcuda.so.{}"
READ_ONLY = ["ro", "nosuid", "nodev", "bind"]
_VERSION = re.compile(r"Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s")
_CACHED = re.compile(r"^\s+(\S+) \(libc6,x86-64.*\) => (\S+)$", re.M)
_CAPABILITY = re.compile(r"^(?:gpu(\d+)/)?(\S+) (\d+)$", re.M)


def generate(root: Path = Path("/")) -> Spec:
    """The GPUs of this host by number (in the order of their addresses), by UUID, and `all`.

    Parts that MIG made come with their GPU. Raises `DsvmError` where the driver is not loaded,
    its libraries are of another version, or its device nodes are missing.
    """
    version = driver_version(root)
    for node in NEEDED:
        if not (root / node.lstrip("/")).exists():
            raise _cannot(f"the device node {node} is missing", "`nvidia-modprobe -u -c 0`")
    devices = list(_devices(root))
    if not devices:
        raise _cannot("the driver has no GPU", "`dsvm hardware` says why")
    libraries = _libraries(root, version)
    folders = sorted({str(Path(library).parent) for library in libraries})
    binds = [*libraries, *_programs(root), *_firmware(root, version)]
    mounts = [_bind(path) for path in binds]
    mounts += [_bind(path, "noexec") for path in SOCKETS if (root / path.lstrip("/")).exists()]
    edits = Edits(
        env=["NVIDIA_VISIBLE_DEVICES=void"],
        device_nodes=[_node(path) for path in _there(root, CONTROL)],
        mounts=mounts,
        hooks=[
            _hook("create-symlinks", "--link", f"libcuda.so.1::{folder}/libcuda.so")
            for folder in folders
            if f"{folder}/{LIBRARY.format(version)}" in libraries
        ]
        + [_hook("update-ldcache", *(word for one in folders for word in ("--folder", one)))],
    )
    return Spec(cdi_version="0.5.0", kind=KIND, devices=devices, container_edits=edits)


def driver_version(root: Path = Path("/")) -> str:
    """Of the module that is loaded. Raises `DsvmError`."""
    found = _VERSION.search(text(root / "proc/driver/nvidia/version") + "\n")
    if not found:
        raise _cannot("NVIDIA's driver is not loaded on this host", "`dsvm hardware` says why")
    return found[1]


def _devices(root: Path) -> Iterator[Device]:
    addresses = sorted(place.name for place in (root / "proc/driver/nvidia/gpus").glob("*"))
    nodes: list[DeviceNode] = []
    for number, address in enumerate(addresses):
        about = nvidia_information(root, address)
        minor = about.get("Device Minor", "")
        if not (root / f"dev/nvidia{minor}").exists():
            continue
        mine = [_node(path) for path in (f"/dev/nvidia{minor}", *_parts(root, minor))]
        nodes += [node for node in mine if node not in nodes]
        for name in (str(number), about.get("GPU UUID", "")):
            if name and "?" not in name:
                yield Device(name=name, container_edits=Edits(device_nodes=mine))
    if nodes:
        yield Device(name="all", container_edits=Edits(device_nodes=nodes))


def _parts(root: Path, minor: str) -> list[str]:
    """Nodes of what MIG made of a GPU: /proc/driver/nvidia-caps/mig-minors of the driver."""
    told = text(root / "proc/driver/nvidia-caps/mig-minors")
    mine = [number for gpu, _, number in _CAPABILITY.findall(told) if gpu == minor]
    return _there(root, tuple(f"/dev/nvidia-caps/nvidia-cap{number}" for number in mine))


def _libraries(root: Path, version: str) -> list[str]:
    """Real paths, of 64-bit libraries."""
    ldconfig = which("ldconfig")
    if not ldconfig:
        raise _cannot("there is no `ldconfig` to find its libraries by", f"`{REFRESH}`")
    try:
        told = run([ldconfig, "-r", root, "-p"]).stdout
    except ProgramFailed as failed:
        raise _cannot(failed.cause or failed.what, f"`{REFRESH}`") from None
    found = set()
    for _, path in _CACHED.findall(told):
        real = _real(root, path)
        if real.endswith(f".so.{version}"):
            found.add(real)
    # Some are opened by their whole name and stand in no cache.
    for folder in {str(Path(path).parent) for path in found}:
        found |= {
            _real(root, f"{folder}/{file.name}")
            for file in (root / folder.lstrip("/")).glob(f"lib*.so.{version}")
        }
    if LIBRARY.format(version) not in {Path(path).name for path in found}:
        raise _cannot(
            f"the module that is loaded has version {version}, and the linker finds no "
            f"{LIBRARY.format(version)}",
            "restart the host after an update of the driver, or install its libraries",
        )
    return sorted(found)


def _real(root: Path, path: str) -> str:
    """The file behind links, as a path of that computer."""
    real = (root / path.lstrip("/")).resolve()
    base = root.resolve()
    return "/" + str(real.relative_to(base)) if real.is_relative_to(base) else path


def _programs(root: Path) -> list[str]:
    return _there(root, tuple(f"/usr/bin/{name}" for name in PROGRAMS))


def _firmware(root: Path, version: str) -> list[str]:
    for folder in FIRMWARE:
        place = root / folder.lstrip("/") / version
        if found := sorted(file.name for file in place.glob("*.bin")):
            return [f"{folder}/{version}/{name}" for name in found]
    return []


def _there(root: Path, paths: tuple[str, ...]) -> list[str]:
    return [path for path in paths if (root / path.lstrip("/")).exists()]


def _node(path: str) -> DeviceNode:
    return DeviceNode(path=path)


def _bind(path: str, *options: str) -> BindMount:
    return BindMount(host_path=path, container_path=path, options=[*READ_ONLY, *options])


def _hook(*words: str) -> Hook:
    program = "nvidia-cdi-hook"
    return Hook(hook_name="createContainer", path=f"/usr/bin/{program}", args=[program, *words])


def _cannot(cause: str, remedy: str) -> DsvmError:
    return DsvmError("no GPU can be given to a container", cause=cause, remedy=remedy)
