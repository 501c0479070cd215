"""A Trainer fits digits, stops when nothing gets better, and its best checkpoint says the same."""

import logging
import os
import time
import warnings

import dsvm_check
import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

dsvm_check.lives_in("pytorch")
expected = "cuda" if os.environ.get("DSVM_VARIANT") == "nvidia" else "cpu"
MOST_EPOCHS = 25
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
# It advises more loader processes and longer logs; a check of seconds needs neither.
warnings.filterwarnings("ignore")


class Digits(lightning.LightningModule):
    def __init__(self, hidden):
        super().__init__()
        self.save_hyperparameters()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(64, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10)
        )

    def forward(self, images):
        return self.layers(images)

    def training_step(self, batch, _):
        return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, _):
        self.log("loss", torch.nn.functional.cross_entropy(self(batch[0]), batch[1]))
        self.log("accuracy", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)


lightning.seed_everything(0, verbose=False)
# One thread: on a network this small more only wait for each other.
torch.set_num_threads(1)
images, labels = load_digits(return_X_y=True)
parts = train_test_split(images / 16, labels, random_state=0)
seen_images, unseen_images = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
known, truth = (torch.tensor(part) for part in parts[2:])
seen = DataLoader(TensorDataset(seen_images, known), batch_size=64, shuffle=True)
unseen = DataLoader(TensorDataset(unseen_images, truth), batch_size=450)

best = ModelCheckpoint(dirpath=".", monitor="loss")
trainer = lightning.Trainer(
    max_epochs=MOST_EPOCHS,
    accelerator="gpu" if expected == "cuda" else "cpu",
    devices=1,
    callbacks=[best, EarlyStopping("loss", patience=3)],
    logger=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
start = time.perf_counter()
trainer.fit(Digits(64), seen, unseen)
seconds = time.perf_counter() - start

(told,) = trainer.validate(ckpt_path=best.best_model_path, dataloaders=unseen, verbose=False)
accuracy = told["accuracy"]
assert accuracy > 0.93, f"accuracy {accuracy:.3f}, more than 0.93 is demanded"
again = Digits.load_from_checkpoint(best.best_model_path, map_location="cpu").eval()
with torch.no_grad():
    named = float((again(unseen_images).argmax(1) == truth).float().mean())
assert abs(named - accuracy) < 1e-6, f"reloaded it has {named:.4f}, the Trainer says {accuracy:.4f}"
used = trainer.strategy.root_device.type
assert used == expected, f"it ran on {used}, expected {expected}"
dsvm_check.passed(
    device=used,
    accuracy=round(accuracy, 4),
    epochs=trainer.current_epoch,
    train_s=round(seconds, 2),
    versions={"lightning": lightning.__version__},
)
