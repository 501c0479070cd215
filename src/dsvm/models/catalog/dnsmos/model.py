"""How well speech can be listened to, from 1 (bad) to 5: what people would answer.

The curves that turn the network's numbers into opinions are those of DNSMOS P.835
(https://github.com/microsoft/DNS-Challenge, DNSMOS/dnsmos_local.py).
"""

import dsvm_model
import numpy as np
import onnxruntime

RATE = 16_000
LENGTH = int(9.01 * RATE)
STEP = RATE
NETWORK = dsvm_model.SITE / "speechmos/dnsmos_models/sig_bak_ovr.onnx"
CURVES = {
    "signal": [-0.08397278, 1.22083953, 0.0052439],
    "background": [-0.13166888, 1.60915514, -0.39604546],
    "overall": [-0.06766283, 1.11546468, 0.04602535],
}


def load():
    network = onnxruntime.InferenceSession(NETWORK, providers=["CPUExecutionProvider"])

    def answer(path):
        samples = dsvm_model.sound(path, RATE)
        if not len(samples):
            return dict.fromkeys(CURVES)
        # A shorter recording is said again and again, as the network's makers do.
        samples = np.tile(samples, max(1, -(-LENGTH // len(samples))))
        begins = range(0, len(samples) - LENGTH + 1, STEP)
        parts = [samples[None, at : at + LENGTH] for at in begins]
        means = np.mean([network.run(None, {"input_1": part})[0][0] for part in parts], axis=0)
        return {
            name: round(float(np.polyval(curve, mean)), 2)
            for (name, curve), mean in zip(CURVES.items(), means, strict=True)
        }

    return answer


dsvm_model.main(load)
