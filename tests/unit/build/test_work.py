"""Scratch folders: gone in the end, also after a kill; never more than there is room for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dsvm import scratch
from dsvm.build import work
from dsvm.errors import DsvmError


def test_the_folder_is_readable_by_all_and_gone_in_the_end(tmp_path: Path) -> None:
    with work.folder(0, tmp_path) as place:
        assert place.stat().st_mode & 0o777 == 0o755
        (place / "locked").mkdir(mode=0o500)
    assert not place.exists()


def test_what_does_not_fit_memory_goes_to_the_disk(tmp_path: Path) -> None:
    with work.folder(work.memory_free() - work.MARGIN // 2, tmp_path) as place:
        assert place.parent == tmp_path


def test_what_fits_nowhere_is_refused_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(DsvmError) as fault, work.folder(1 << 60, tmp_path):
        pass
    assert "needed" in str(fault.value)
    assert "free" in str(fault.value)


def test_what_a_killed_build_left_is_swept_and_a_living_one_is_not(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from dsvm.build import work\n"
        "work._place = lambda needed, disk: disk\n"
        "with work.folder(0, Path(sys.argv[1])) as scratch:\n"
        "    (scratch / 'half').write_text('x'); os.kill(os.getpid(), 9)\n"
    )
    source = str(Path(work.__file__).parents[2])
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": source}
    )
    [left] = tmp_path.iterdir()
    assert (left / "half").exists()

    with scratch.folder("build", tmp_path) as living:
        scratch.sweep(tmp_path)
        assert living.exists()
    assert not left.exists()
