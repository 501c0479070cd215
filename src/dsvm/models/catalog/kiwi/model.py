"""A Korean text in its smallest parts with meaning, each with its kind."""

import dsvm_model
from kiwipiepy import Kiwi


def load():
    network = Kiwi(num_workers=1)

    def answer(text):
        found = network.tokenize(text)
        return {
            "morphemes": [token.form for token in found],
            "kinds": [str(token.tag) for token in found],
            "spaced": network.space(text),
        }

    return answer


dsvm_model.main(load)
