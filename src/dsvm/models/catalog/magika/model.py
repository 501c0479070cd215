"""What kind of file it is, by its content."""

from pathlib import Path

import dsvm_model
from magika import Magika


def load():
    network = Magika()

    def answer(path):
        told = network.identify_path(Path(path))
        return {
            "label": told.output.label,
            "description": told.output.description,
            "mime_type": told.output.mime_type,
            "score": round(told.score, 4),
        }

    return answer


dsvm_model.main(load)
