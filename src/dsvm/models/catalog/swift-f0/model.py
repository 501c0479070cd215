"""How high a voice or an instrument sounds, in Hz, every 16 ms."""

import dsvm_model
import numpy as np
from swift_f0 import SwiftF0

RATE = 16_000
VOICED = 0.5


def load():
    network = SwiftF0(threads=1)

    def answer(path):
        told = network.detect(dsvm_model.sound(path, RATE), RATE)
        voiced = told.confidence >= VOICED
        pitch = np.where(voiced, told.pitch_hz, 0.0)
        return {
            "median_hz": _median(told.pitch_hz[voiced]),
            "voiced_s": round(float(voiced.sum()) * 0.016, 2),
            "pitch_hz": [round(float(hz), 1) for hz in pitch],
        }

    return answer


def _median(pitch):
    return round(float(np.median(pitch)), 1) if len(pitch) else None


dsvm_model.main(load)
