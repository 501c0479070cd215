"""What a machine is shown of its own size, and how lists of processors are read."""

from __future__ import annotations

from dsvm.engines.nspawn.cgroups import _memory_parts, cpu_list
from dsvm.engines.nspawn.seen import cpuinfo, meminfo

GIB = 1 << 30
HOST = "processor\t: 0\nmodel name\t: A\n\nprocessor\t: 1\nmodel name\t: B\n\n"


def test_ranges_of_processors_are_counted_out() -> None:
    assert list(cpu_list("0-2,5\n")) == [0, 1, 2, 5]
    assert list(cpu_list("\n")) == []


def test_cpuinfo_lists_only_the_processors_of_the_machine() -> None:
    assert cpuinfo(HOST, {1}) == "processor\t: 1\nmodel name\t: B\n\n"


def test_cpuinfo_without_numbers_is_left_as_it_is() -> None:
    text = "vendor_id : IBM/S390\n# processors : 2\n\n"

    assert cpuinfo(text, {0}) == text


def test_memory_in_the_page_cache_counts_as_available() -> None:
    parts = {"file": GIB // 2, "inactive_file": GIB // 4, "active_file": GIB // 4}

    text = meminfo(GIB, GIB * 3 // 4, parts)

    lines = dict(line.split(":") for line in text.splitlines())
    assert lines["MemTotal"].split() == ["1048576", "kB"]
    assert lines["MemFree"].split() == ["262144", "kB"]
    assert lines["MemAvailable"].split() == ["786432", "kB"]


def test_meminfo_keeps_its_length_so_that_a_reader_never_sees_half_of_it() -> None:
    assert len(meminfo(GIB, 0, {})) == len(meminfo(64 * GIB, 63 * GIB, {"file": GIB}))


def test_both_versions_of_memory_stat_speak_of_the_groups_below() -> None:
    old = _memory_parts("cache 1\ntotal_cache 30\ntotal_inactive_file 20\n")
    new = _memory_parts("file 30\ninactive_file 20\n")

    assert old["file"] == new["file"] == 30
    assert old["inactive_file"] == new["inactive_file"] == 20
