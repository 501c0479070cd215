"""The text in a picture, line by line."""

import dsvm_model
from rapidocr import RapidOCR


def load():
    network = RapidOCR()

    def answer(path):
        told = network(path)
        lines = list(told.txts or ())
        scores = [round(float(score), 3) for score in told.scores or ()]
        places = [box.round().astype(int).tolist() for box in told.boxes] if lines else []
        return {
            "text": "\n".join(lines),
            "lines": [
                {"text": text, "score": score, "corners": corners}
                for text, score, corners in zip(lines, scores, places, strict=True)
            ],
        }

    return answer


dsvm_model.main(load)
