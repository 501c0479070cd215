"""Builds what a lock names: each layer once, by its key, independent ones at the same time.

The order in which things happen:

    fetch OS packages ──┬─> OS tree ──> disk ──┐
    fetch wheels, ... ──┴─> environments, ... ─┴─> image

A layer that is in the store under its key is taken from there; then nothing is fetched for it.
Two builds may run on one store: for each key one builds and the other waits. A layer is recorded
as soon as it is finished, so an interrupted build goes on where it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from threading import Semaphore

from dsvm import timing
from dsvm.build import disk, fetching, guest_tree, keys, work
from dsvm.build.model import Image, Layer
from dsvm.build.parts import Part, Workshop, module_part, pythons_of
from dsvm.catalog import load_catalog
from dsvm.catalog.compose import Composition
from dsvm.errors import DsvmError, ErrorGroup
from dsvm.home import Home
from dsvm.lock import make_lock
from dsvm.lock.driver import NotBuilt
from dsvm.lock.model import NOTHING_MOUNTED, Lock
from dsvm.progress import Progress, Silent, Step
from dsvm.store import MissingBlob, Store

# The OS tree and the disk take the longest together and are mostly one thread: they keep one place
# between them from beginning to end, so that no other layer delays the last to be finished.
_BESIDE = max(1, (os.cpu_count() or 1) - 1)


def build(
    lock: Lock, composition: Composition, home: Home, *, progress: Progress | None = None
) -> Image:
    """The image of a lock: its disk and all its layers, built where the store has them not.

    Fetches what is missing. Raises `DsvmError` that names the layer which was not built.
    """
    return _Build(lock, composition, home, progress or Silent()).image()


def build_layers(
    lock: Lock, composition: Composition, home: Home, *, progress: Progress | None = None
) -> tuple[Layer, ...]:
    """The layers that are mounted in a machine, without its OS tree and disk."""
    return _Build(lock, composition, home, progress or Silent()).layers()


def build_disk(
    lock: Lock, composition: Composition, home: Home, *, progress: Progress | None = None
) -> Layer:
    """The disk of a lock without the layers that are mounted; of `composition` the base and the
    sources count."""
    layers = _Build(of_the_disk(lock), composition, home, progress or Silent()).bare()
    return next(layer for layer in layers if layer.kind == "disk")


def proven_lock(
    composition: Composition,
    home: Home,
    *,
    old: Lock | None,
    upgrade: frozenset[str] | None = frozenset(),
    progress: Progress,
) -> Lock:
    """`dsvm.lock.make_lock`, with the module of a driver compiled unless that was done before."""

    def prove(lock: Lock) -> None:
        _Build(lock, composition, home, progress).prove_driver()

    return make_lock(composition, home, old=old, upgrade=upgrade, progress=progress, prove=prove)


def of_the_disk(lock: Lock) -> Lock:
    """What of a lock the disk is made from: nothing that is mounted."""
    return lock.model_copy(update={"interpreters": {}, **NOTHING_MOUNTED})


class _Build:
    """One run of a build."""

    def __init__(
        self, lock: Lock, composition: Composition, home: Home, progress: Progress
    ) -> None:
        self.lock = lock
        self.composition = composition
        self.home = home
        self.progress = progress
        self.store = Store(home.store)
        self.slots = Semaphore(_BESIDE)

    def image(self) -> Image:
        layers = self._run(with_disk=True)
        root = next(layer for layer in layers if layer.kind == "disk")
        digests = sorted(layer.digest for layer in layers if layer.kind != "os")
        image = Image(
            id=keys.key("image", base=self.lock.base, digests=digests),
            base=self.lock.base,
            digest=root.digest,
            bytes=root.bytes,
            root_offset=disk.ROOT_OFFSET,
            layers=layers,
        )
        if self.store.image(image.id, Image) is None:
            self.store.record_image(image.id, image)
        return image

    def layers(self) -> tuple[Layer, ...]:
        return self._run(with_disk=False)

    def prove_driver(self) -> None:
        part = module_part(self.lock, self.store, self.home)
        with self.store.using():
            if part is None or self._cached(part):
                return
            fetching.fetch_driver(self.lock, self.composition, self.home, self.progress)
            try:
                self._layer(part, [])
            except DsvmError as failed:
                if isinstance(failed.__cause__, NotBuilt):
                    raise failed.__cause__ from failed
                raise

    def bare(self) -> tuple[Layer, ...]:
        return self._run(with_disk=True)

    def _run(self, *, with_disk: bool) -> tuple[Layer, ...]:
        work.sweep(self.home, self.store)
        with self.store.using(), ThreadPoolExecutor(32, "build") as pool:
            fetched: list[Future[None]] = []
            workshop = self._workshop(pool, fetched)
            parts = workshop.parts()
            system = workshop.os_part()
            root = self._disk_part(workshop, system)
            module = workshop.module_part() if with_disk else None
            missing = [part.name for part in parts if not self._cached(part)]
            system_missing = with_disk and not (self._cached(system) and self._cached(root))
            if not fetched and (missing or system_missing):
                self._fetch(pool, fetched, missing)
            jobs: list[Future[tuple[Layer, ...]]] = []
            if with_disk:
                jobs.append(pool.submit(self._system, module, system, root, fetched[:1]))
            else:
                self.slots.release()
            jobs += [pool.submit(self._beside, part, fetched) for part in parts]
            return self._finished(pool, jobs)

    def _workshop(self, pool: ThreadPoolExecutor, fetched: list[Future[None]]) -> Workshop:
        """What the keys are made from. The first time that needs the OS packages themselves."""
        bases = load_catalog().bases
        base = self.composition.base

        def read() -> Workshop:
            pythons = pythons_of(self.lock, base, bases, self.store, self.home)
            tools = self.composition.tools
            origins = {tool.name: origin for tool in tools if (origin := self.lock.origin_of(tool))}
            npm = {tool.name: tool.npm for tool in tools if tool.npm}
            return Workshop(self.lock, base, pythons, origins, npm, self.store, self.home)

        try:
            return read()
        except MissingBlob:
            everything = [f"env-{one.name}-{one.variant}" for one in self.lock.environments]
            everything += [f"app-{npm.tool}" for npm in self.lock.npm]
            everything += [f"app-{artifact.tool}" for artifact in self.lock.artifacts]
            everything += [f"app-{debs.tool}" for debs in self.lock.debs]
            everything += [f"app-{cran.tool}" for cran in self.lock.cran]
            everything += [f"app-{hub.tool}" for hub in self.lock.hub]
            everything += [f"env-{conda.environment}-cpu" for conda in self.lock.conda]
            self._fetch(pool, fetched, everything)
            fetched[0].result()
            return read()

    def _fetch(
        self, pool: ThreadPoolExecutor, fetched: list[Future[None]], names: Sequence[str]
    ) -> None:
        """Start fetching: first what the OS tree needs, beside it the rest."""
        arguments = (self.composition, self.home, self.progress)
        fetched += [
            pool.submit(fetching.fetch_system, self.lock, *arguments),
            pool.submit(fetching.fetch_rest, self.lock, names, *arguments),
        ]

    def _disk_part(self, workshop: Workshop, system: Part) -> Part:
        guest = guest_tree.entries()
        key = disk.disk_key(system.key, guest, workshop.tools_key)

        def make(log: Path, step: Step) -> str:
            made, tools = self._layer(system, []), workshop.tools()
            return disk.build_disk(made, guest, key, tools, self.store, self.home, log, step)

        return Part("disk", "disk", key, make)

    def _system(
        self, module: Part | None, system: Part, root: Part, fetched: Sequence[Future[None]]
    ) -> tuple[Layer, ...]:
        try:
            if module and not self._cached(system):
                self._layer(module, fetched)
            return self._layer(system, fetched), self._layer(root, [])
        finally:
            self.slots.release()

    def _beside(self, part: Part, fetched: Sequence[Future[None]]) -> tuple[Layer, ...]:
        return (self._layer(part, fetched, self.slots),)

    def _cached(self, part: Part) -> Layer | None:
        """The finished layer. Its name may be another one's that is made of the same parts."""
        layer = self.store.layer(part.key, Layer)
        if layer and not self.store.sound(layer.digest, layer.bytes):
            self.progress.note(f"layer {part.name} is damaged: it is built again")
            self.store.discard(layer.digest)
            return None
        return layer and part.layer(layer.digest, layer.bytes).model_copy(update={"cached": True})

    def _layer(
        self,
        part: Part,
        fetched: Sequence[Future[None]],
        place: AbstractContextManager[object] | None = None,
    ) -> Layer:
        """The layer out of the store, else made once those files are fetched, and recorded."""
        if layer := self._cached(part):
            return layer
        for files in fetched:
            files.result()
        with ExitStack() as held:
            held.enter_context(work.alone(part.key, self.home))
            if layer := self._cached(part):
                return layer
            held.enter_context(place or nullcontext())
            layer = self._made(part)
            self.store.record_layer(part.key, layer)
            return layer

    def _made(self, part: Part) -> Layer:
        log = self.home.logs / "build" / f"{part.name}.log"
        log.unlink(missing_ok=True)
        began = time.monotonic()
        with (
            timing.steps() as steps,
            self.progress.step(f"building {part.name}", part.total, part.unit) as step,
        ):
            try:
                digest = part.make(log, step)
            except DsvmError as fault:
                raise _not_built(part, fault, log) from fault
            except OSError as fault:
                raise _not_built(part, _of_disk(fault), log) from fault
        size = self.store.get(digest).stat().st_size
        return part.layer(digest, size, round(time.monotonic() - began, 2), steps)

    def _finished(
        self, pool: ThreadPoolExecutor, jobs: Sequence[Future[tuple[Layer, ...]]]
    ) -> tuple[Layer, ...]:
        """All layers; or after those that had begun are finished, each fault once."""
        faults: dict[int, DsvmError] = {}
        layers: list[Layer] = []
        try:
            for job in jobs:
                try:
                    layers += job.result()
                except DsvmError as fault:
                    faults[id(fault)] = fault
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        if len(faults) > 1:
            raise ErrorGroup(list(faults.values()))
        if faults:
            raise next(iter(faults.values()))
        return tuple(layers)


def _not_built(part: Part, fault: DsvmError, log: Path) -> DsvmError:
    cause = "\n".join(filter(None, (fault.what, fault.cause)))
    return DsvmError(
        f"layer `{part.name}` was not built",
        cause=cause,
        remedy=fault.remedy or "finished layers are kept; run the command again",
        log=log if log.exists() else fault.log,
    )


def _of_disk(fault: OSError) -> DsvmError:
    return DsvmError(fault.strerror or str(fault), cause=fault.filename and str(fault.filename))
