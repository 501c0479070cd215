"""How checks look at a picture, in this process: the tests have the libraries that it needs."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from dsvm.verify import inside

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def dsvm_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, in a folder where pictures may be left."""
    monkeypatch.chdir(tmp_path)
    file = Path(inside.__file__).parent / "lib" / "dsvm_picture.py"
    spec = importlib.util.spec_from_file_location("dsvm_picture", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def halves(left: tuple[int, int, int], right: tuple[int, int, int], wide: int = 200) -> bytes:
    picture = Image.new("RGB", (wide, 100), left)
    picture.paste(right, (wide // 2, 0, wide, 100))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def test_a_picture_of_the_two_halves_is_left_for_the_report(
    dsvm_picture: ModuleType, tmp_path: Path
) -> None:
    dsvm_picture.shows_halves(halves(RED, BLUE), RED, BLUE)

    assert (tmp_path / "figure.png").read_bytes() == halves(RED, BLUE)


def test_other_halves_and_another_shape_are_told(dsvm_picture: ModuleType) -> None:
    with pytest.raises(AssertionError, match=r"its halves are \(0, 0, 255\) and \(255, 0, 0\)"):
        dsvm_picture.shows_halves(halves(BLUE, RED), RED, BLUE)
    with pytest.raises(AssertionError, match=r"the figure has the shape \(100, 300, 3\)"):
        dsvm_picture.shows_halves(halves(RED, BLUE, wide=300), RED, BLUE)
