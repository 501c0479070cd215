"""Which of four wake words a recording has, and when."""

import dsvm_model
from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

CHUNK = 2 * 160
PER_CHUNK_S = 0.01


def load():
    def answer(path):
        samples = (dsvm_model.sound(path) * 32768).astype("<i2").tobytes()
        heard = []
        for model in Model:
            at = _first(MicroWakeWord.from_builtin(model), samples)
            if at is not None:
                heard.append({"word": model.value.replace("_", " "), "at_s": at})
        heard.sort(key=lambda one: one["at_s"])
        return {"words": [one["word"] for one in heard], "heard": heard}

    return answer


def _first(network, samples):
    """When the word has been said for the first time (seconds), or None."""
    features = MicroWakeWordFeatures()
    for number, at in enumerate(range(0, len(samples), CHUNK)):
        for feature in features.process_streaming(samples[at : at + CHUNK]):
            if network.process_streaming(feature):
                return round((number + 1) * PER_CHUNK_S, 2)
    return None


dsvm_model.main(load)
