"""Finds the shapes of a picture it drew, by kind and place; recovers a known turn of it."""

import math

import cv2
import dsvm_check
import numpy as np

dsvm_check.lives_in("vision")
TURN, SCALE = 17.0, 1.1
DRAWN = {
    ("triangle", 90, 110),
    ("square", 260, 100),
    ("circle", 110, 290),
    ("circle", 280, 300),
}
KINDS = {3: "triangle", 4: "square"}


def drawing():
    picture = np.zeros((400, 400), np.uint8)
    for kind, x, y in DRAWN:
        if kind == "circle":
            cv2.circle(picture, (x, y), 50, 255, -1)
        elif kind == "square":
            cv2.rectangle(picture, (x - 45, y - 45), (x + 45, y + 45), 255, -1)
        else:
            corners = np.array([(x, y - 60), (x - 52, y + 30), (x + 52, y + 30)], np.int32)
            cv2.fillPoly(picture, [corners], 255)
    return picture


def shapes(picture):
    """Kind and centre of each outline, the centre within 3 pixels of one that was drawn."""
    found = set()
    for outline in cv2.findContours(picture, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        corners = cv2.approxPolyDP(outline, 0.03 * cv2.arcLength(outline, True), True)
        moments = cv2.moments(outline)
        x, y = (moments[key] / moments["m00"] for key in ("m10", "m01"))
        near = [(a, b) for _, a, b in DRAWN if math.hypot(a - x, b - y) < 3]
        found.add((KINDS.get(len(corners), "circle"), *(near[0] if near else (round(x), round(y)))))
    return found


def turn_found(picture):
    """The angle (degrees) and the scale by which ORB features say a copy was turned."""
    middle = (picture.shape[1] / 2, picture.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(middle, TURN, SCALE)
    turned = cv2.warpAffine(picture, matrix, picture.shape[::-1])
    orb = cv2.ORB_create(800)
    (ours, first), (theirs, second) = (orb.detectAndCompute(one, None) for one in (picture, turned))
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(first, second)
    here = np.float32([ours[pair.queryIdx].pt for pair in pairs])
    there = np.float32([theirs[pair.trainIdx].pt for pair in pairs])
    found, _ = cv2.estimateAffinePartial2D(here, there, ransacReprojThreshold=3)
    return math.degrees(math.atan2(found[0, 1], found[0, 0])), math.hypot(*found[0, :2])


picture = drawing()
found = shapes(picture)
assert found == DRAWN, f"shapes found: {sorted(found)}, drawn: {sorted(DRAWN)}"

noise = np.random.default_rng(0).integers(0, 256, (50, 50), np.uint8)
texture = cv2.resize(noise, (400, 400), interpolation=cv2.INTER_CUBIC)
angle, scale = turn_found(texture)
assert abs(angle - TURN) < 0.5, f"turned by {TURN} degrees, it says {angle:.2f}"
assert abs(scale - SCALE) < 0.02, f"scaled by {SCALE}, it says {scale:.3f}"

cv2.imwrite("shapes.png", picture)
assert np.array_equal(cv2.imread("shapes.png", cv2.IMREAD_GRAYSCALE), picture), (
    "saved and read again, the picture differs"
)
dsvm_check.passed(
    shapes=len(found), turn_degrees=round(angle, 3), versions={"opencv": cv2.__version__}
)
