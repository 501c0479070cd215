"""English speech as text."""

import dsvm_model
from pocketsphinx import Decoder


def load():
    network = Decoder(samprate=16_000, loglevel="FATAL")

    def answer(path):
        samples = (dsvm_model.sound(path) * 32768).astype("<i2")
        network.start_utt()
        network.process_raw(samples.tobytes(), full_utt=True)
        network.end_utt()
        heard = network.hyp()
        return {"text": heard.hypstr if heard else ""}

    return answer


dsvm_model.main(load)
