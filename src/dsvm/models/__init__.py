"""Other people's trained models, each in an environment layer of its own.

    catalog/<model>/
      model.toml    what it is for; its packages, weights, licence; its known answers
      model.py      how it is loaded and asked (`dsvm_model`, which travels with it)
      samples/      what it is asked about

A model is given to the composition as a tool is (`dsvm.models.tool`), so that it is locked, built,
mounted and proven in the same way.
"""

from dsvm.models.load import load_models, model
from dsvm.models.model import Model

__all__ = ["Model", "load_models", "model"]
