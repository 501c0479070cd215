"""What checks of pictures share: `import dsvm_picture`; needs numpy and Pillow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

Colour = tuple[int, int, int]


def shows_halves(picture: bytes, left: Colour, right: Colour) -> None:
    """End the check unless the picture, 200 x 100, has these halves. The report shows it."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    assert pixels.shape == (100, 200, 3), f"the figure has the shape {pixels.shape}"
    halves = [tuple(pixels[50, column].tolist()) for column in (50, 150)]
    assert halves == [left, right], f"its halves are {halves[0]} and {halves[1]}"
    Path("figure.png").write_bytes(picture)
