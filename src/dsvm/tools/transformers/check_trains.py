"""A small BERT, built from its configuration alone, learns to tell palindromes."""

import os
import time

import dsvm_check
import torch
import transformers

dsvm_check.lives_in("pytorch")
expected = "cuda" if os.environ.get("DSVM_VARIANT") == "nvidia" else "cpu"
LETTERS, LENGTH, BATCH, STEPS = 4, 6, 128, 260
transformers.set_seed(0)
# One thread: on a network this small more only wait for each other.
torch.set_num_threads(1)
device = torch.device(expected)


def batch():
    """Texts of letters, half of them palindromes, and which are."""
    texts = torch.randint(1, LETTERS + 1, (BATCH, LENGTH), device=device)
    texts[: BATCH // 2, LENGTH // 2 :] = texts[: BATCH // 2, : LENGTH // 2].flip(1)
    first = torch.zeros(BATCH, 1, dtype=torch.long, device=device)
    return torch.cat([first, texts], 1), (texts == texts.flip(1)).all(1).long()


model = transformers.BertForSequenceClassification(
    transformers.BertConfig(
        vocab_size=LETTERS + 1,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=LENGTH + 1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=2,
    )
).to(device)
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
losses = []
start = time.perf_counter()
for _ in range(STEPS):
    texts, labels = batch()
    loss = model(input_ids=texts, labels=labels).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(float(loss.detach()))
seconds = time.perf_counter() - start
model.eval()
with torch.no_grad():
    texts, labels = batch()
    accuracy = float((model(input_ids=texts).logits.argmax(1) == labels).float().mean())
begin, end = sum(losses[:10]) / 10, sum(losses[-10:]) / 10
assert end < begin / 2, f"the loss went from {begin:.3f} to {end:.3f} only"
assert accuracy > 0.9, f"accuracy {accuracy:.3f}, more than 0.9 is demanded"

model.save_pretrained("saved")
again = transformers.BertForSequenceClassification.from_pretrained("saved").to(device).eval()
with torch.no_grad():
    differ = float((again(input_ids=texts).logits - model(input_ids=texts).logits).abs().max())
assert differ < 1e-5, f"reloaded, its answers differ by {differ:.2g}"
used = model.device.type
assert used == expected, f"it ran on {used}, expected {expected}"
dsvm_check.passed(
    device=used,
    accuracy=round(accuracy, 4),
    train_s=round(seconds, 1),
    versions={"transformers": transformers.__version__, "torch": torch.__version__},
)
