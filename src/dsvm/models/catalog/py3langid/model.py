"""The language of a text, of 97."""

import dsvm_model
from py3langid.langid import MODEL_FILE, LanguageIdentifier


def load():
    network = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def answer(text):
        language, chance = network.classify(text)
        return {"language": language, "probability": round(float(chance), 4)}

    return answer


dsvm_model.main(load)
