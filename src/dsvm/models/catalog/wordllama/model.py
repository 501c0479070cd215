"""A text as 256 numbers: texts of like meaning lie near each other."""

import dsvm_model
from wordllama import WordLlama

# By which a person sees that the numbers mean something; the nearest one is told.
SUBJECTS = (
    "music and concerts",
    "cooking and food",
    "football and other sports",
    "medicine and health",
    "computers and programming",
    "money and stock markets",
    "weather and climate",
)


def load():
    # Where the package looks first it has no tokenizer; where it has one is as a cache is.
    network = WordLlama.load(cache_dir=dsvm_model.SITE / "wordllama", disable_download=True)

    def answer(text):
        (numbers,) = network.embed([text], norm=True)
        near = [(network.similarity(text, subject), subject) for subject in SUBJECTS]
        score, subject = max(near)
        return {
            "subject": subject,
            "similarity": round(float(score), 4),
            "embedding": [round(float(number), 5) for number in numbers],
        }

    return answer


dsvm_model.main(load)
