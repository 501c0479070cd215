"""Which size is chosen."""

from __future__ import annotations

from dsvm.advise.choose import Fit, choose, crossing, on_cpu, on_gpu
from dsvm.advise.memory import Memory
from dsvm.sizes import Size

GIB = 1024**3


def size(name: str, memory: int, price: float | None, gpu: str | None = None) -> Size:
    return Size(
        name, "cloud", 4, memory * GIB, gpu, 1 if gpu else 0, 16 * GIB if gpu else None, None, price
    )


def need(machine: int, gpu: int = 0) -> Memory:
    return Memory(0, 0, {}, 0, gpu * GIB, machine * GIB)


def test_the_cheapest_that_fits_is_chosen() -> None:
    sizes = [size("small", 8, 0.1), size("large", 32, 0.4), size("middle", 16, 0.2)]

    choice = choose(on_cpu(sizes, need(12), 1.0, 4))

    assert choice.cheapest is not None
    assert choice.cheapest.size.name == "middle"
    assert [one.fits for one in choice.all] == [False, True, True]


def test_nothing_is_chosen_where_nothing_fits() -> None:
    assert choose(on_cpu([size("small", 8, 0.1)], need(9), 1.0, 4)).cheapest is None


def test_a_size_without_a_price_is_not_the_cheapest() -> None:
    choice = choose(on_cpu([size("free?", 8, None), size("known", 8, 9.0)], need(1), 1.0, 4))

    assert choice.cheapest is not None
    assert choice.cheapest.size.name == "known"


def test_a_gpu_must_hold_what_the_process_may_reserve() -> None:
    sizes = [size("t4", 32, 0.5, "T4"), size("cpu", 64, 0.1)]

    fits = [[one.fits for one in on_gpu(sizes, need(4, gpu), {"T4": 0.1}.get)] for gpu in (16, 17)]

    assert fits == [[True], [False]]


def test_the_gpu_pays_once_its_start_is_made_good() -> None:
    cpu = Fit(size("cpu", 8, 0.1), True, 10.0)
    gpu = Fit(size("gpu", 8, 1.0, "T4"), True, 1.0)

    assert crossing(cpu, gpu) == 10.0 * 180 / 9
    assert crossing(gpu, cpu) is None
