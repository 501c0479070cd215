"""What a person's file needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.advise.requirements import requirements_of
from dsvm.errors import DsvmError


def written(folder: Path, text: str) -> Path:
    file = folder / "job.py"
    file.write_text(text)
    return file


def test_imports_become_packages(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    file = written(tmp_path, "import torch, os\nfrom PIL import Image\nimport mine\nimport timm.x")

    assert requirements_of(file) == ["pillow", "timm", "torch"]


def test_a_script_block_goes_before_imports(tmp_path: Path) -> None:
    text = '# /// script\n# dependencies = ["torch<3", "einops"]\n# ///\nimport torch, timm\n'

    assert requirements_of(written(tmp_path, text)) == ["einops", "torch<3"]


def test_torch_is_always_there(tmp_path: Path) -> None:
    assert requirements_of(written(tmp_path, "import math")) == ["torch"]


@pytest.mark.parametrize("name", ["keras", "tensorflow", "jax"])
def test_other_frameworks_are_told_as_not_covered(tmp_path: Path, name: str) -> None:
    with pytest.raises(DsvmError, match="not covered"):
        requirements_of(written(tmp_path, f"import {name}"))


@pytest.mark.parametrize("text", ["def (", "# /// script\n# dependencies = 3\n# ///\n", "\0"])
def test_what_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(DsvmError):
        requirements_of(written(tmp_path, text))
