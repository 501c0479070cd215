"""Learns to find crosses among rings, and finds each one in pictures it has not seen."""

import time

import dlib
import dsvm_check
import numpy as np
from PIL import Image, ImageDraw

dsvm_check.lives_in("vision")
SIDE, SHAPE = 240, 60
# Two crosses and a ring on each picture, in cells of 80 x 80 so that they never overlap.
CELLS = [(column * 80 + 10, row * 80 + 10) for row in range(3) for column in range(3)]
rng = np.random.default_rng(3)


def picture():
    """A noisy picture and the boxes of the crosses on it."""
    canvas = Image.new("L", (SIDE, SIDE), 128)
    pen = ImageDraw.Draw(canvas)
    places = [CELLS[cell] for cell in rng.choice(len(CELLS), 3, replace=False)]
    boxes = []
    for number, (x, y) in enumerate(places):
        left, top = x + int(rng.integers(-6, 7)), y + int(rng.integers(-6, 7))
        right, bottom = left + SHAPE - 1, top + SHAPE - 1
        if number == 2:
            pen.ellipse((left, top, right, bottom), outline=240, width=12)
            continue
        middle = SHAPE // 2
        pen.rectangle((left, top + middle - 7, right, top + middle + 7), fill=240)
        pen.rectangle((left + middle - 7, top, left + middle + 7, bottom), fill=240)
        boxes.append(dlib.rectangle(left, top, right, bottom))
    noisy = np.asarray(canvas) + rng.normal(0, 8, (SIDE, SIDE))
    return np.clip(noisy, 0, 255).astype(np.uint8), boxes


def overlap(one, other):
    both = one.intersect(other).area()
    return both / (one.area() + other.area() - both)


seen = [picture() for _ in range(8)]
options = dlib.simple_object_detector_training_options()
options.C = 5
options.detection_window_size = SHAPE * SHAPE
options.num_threads = 2
start = time.perf_counter()
detector = dlib.train_simple_object_detector(
    [shown for shown, _ in seen], [boxes for _, boxes in seen], options
)
seconds = time.perf_counter() - start

found = false = 0
for shown, boxes in [picture() for _ in range(3)]:
    named = list(detector(shown))
    found += sum(any(overlap(box, one) > 0.5 for one in named) for box in boxes)
    false += sum(all(overlap(box, one) <= 0.5 for box in boxes) for one in named)
assert found == 6, f"it found {found} crosses of 6"
assert false == 0, f"it took {false} other things for crosses"
dsvm_check.passed(found=found, train_s=round(seconds, 2), versions={"dlib": dlib.__version__})
