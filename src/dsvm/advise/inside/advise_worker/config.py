"""Jobs from a Hugging Face model configuration: a model of that shape, with random weights.

Needs `transformers`, and `peft` for LoRA, in the environment.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from advise_worker.job import BadJob

TASKS = {
    "causal-lm": "AutoModelForCausalLM",
    "masked-lm": "AutoModelForMaskedLM",
    "sequence-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
}


class ConfigJob:
    """Has `model()`, `batch(n)`, `loss(model, batch)` and `predict(model, batch)`."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.config = _read(Path(asked["config"]))

    def model(self) -> torch.nn.Module:
        import transformers

        kind = getattr(transformers, TASKS[self.asked["task"]])
        try:
            model = kind.from_config(self.config, dtype=torch.get_default_dtype())
        except ValueError as bad:
            raise BadJob("config", str(bad)) from None
        if self.asked["lora"]:
            model = _with_adapters(model, self.asked["lora"])
        if self.asked["checkpointing"]:
            model.config.use_cache = False
            model.gradient_checkpointing_enable({"use_reentrant": False})
            if self.asked["lora"]:
                model.enable_input_require_grads()
        return model.train()

    def batch(self, n: int) -> dict[str, torch.Tensor]:
        length = self.asked["sequence"]
        words = torch.randint(0, self.config.vocab_size, (n, length))
        labels = words
        if self.asked["task"] == "sequence-classification":
            labels = torch.randint(0, self.config.num_labels, (n,))
        elif self.asked["task"] == "token-classification":
            labels = torch.randint(0, self.config.num_labels, (n, length))
        return {"input_ids": words, "attention_mask": torch.ones_like(words), "labels": labels}

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        more = {"use_cache": False} if self.asked["task"] == "causal-lm" else {}
        return model(**batch, **more).loss

    def predict(self, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> Any:
        """The prompt is read, its keys and values are kept, one token is written."""
        given = {key: value for key, value in batch.items() if key != "labels"}
        if self.asked["task"] != "causal-lm":
            return model(**given)
        read = model(**given, use_cache=True, logits_to_keep=1)
        word = read.logits[:, -1:].argmax(-1)
        return model(input_ids=word, past_key_values=read.past_key_values, use_cache=True)


def _read(path: Path) -> Any:
    from transformers import AutoConfig

    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as bad:
        raise BadJob("config", f"{path.name} is no JSON file: {bad}") from None
    kind = told.pop("model_type", None) if isinstance(told, dict) else None
    if kind is None:
        raise BadJob("config", f"{path.name} has no `model_type`")
    try:
        return AutoConfig.for_model(kind, **told)
    except ValueError:
        raise BadJob("config", f"transformers knows no model type `{kind}`") from None


def _with_adapters(model: torch.nn.Module, rank: int) -> torch.nn.Module:
    from peft import LoraConfig, get_peft_model

    return get_peft_model(model, LoraConfig(r=rank, target_modules="all-linear"))
