"""Jobs advised by the real command, in an environment that uv makes: figures, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dsvm.home import Home
from tests.model_hub import ModelHub
from tests.system.typed import Dsvm

pytestmark = pytest.mark.rootless

GOOD = """
import torch
from torch import nn

def model():
    return nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 8))

def batch(n):
    return torch.randn(n, 64), torch.randint(0, 8, (n,))

def loss(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
"""
PARAMETERS = 4 * (64 * 512 + 512 + 512 * 8 + 8)

Advise = Callable[..., Any]


@pytest.fixture
def job(tmp_path: Path) -> Callable[[str], Path]:
    """A job's file, with this text in place of the good one's."""

    def write(text: str) -> Path:
        folder = tmp_path / "job"
        folder.mkdir(exist_ok=True)
        file = folder / "job.py"
        file.write_text(text)
        return file

    return write


def test_parts_are_those_of_the_model(dsvm: Dsvm, job: Callable[[str], Path]) -> None:
    done = dsvm("advise", str(job(GOOD)), "--batch", "256", "--json", timeout_s=900)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    memory, process = told["memory"], told["process"]
    assert memory["parts"]["parameters"] == PARAMETERS
    assert memory["parts"]["optimizer"] == pytest.approx(2 * PARAMETERS, abs=1000)
    assert sum(memory["parts"].values()) == memory["expected_bytes"] < memory["upper_bytes"]
    assert process["expected_bytes"] < process["upper_bytes"] < told["machine_bytes"]
    step = told["step_seconds"]
    assert step["low"] < step["expected"] < step["high"]
    assert told["chosen"] in [one["name"] for one in told["sizes"] if one["fits"]]
    assert told["not_modelled"]


def test_the_answer_is_a_picture_and_a_page_too(
    dsvm: Dsvm, job: Callable[[str], Path], tmp_path: Path
) -> None:
    drawn, page = tmp_path / "memory.svg", tmp_path / "advice.html"
    words = ("--batch", "256", "--picture", str(drawn), "--report", str(page))
    done = dsvm("advise", str(job(GOOD)), *words, timeout_s=900)

    assert done.returncode == 0, done.stderr
    assert drawn.read_text().strip() in page.read_text()
    told = [line for line in done.stdout.splitlines() if line.startswith("machine ")]
    assert told[0].split("  ")[-1].strip() in page.read_text()


def test_inference_has_neither_gradients_nor_optimizer(
    dsvm: Dsvm, job: Callable[[str], Path]
) -> None:
    done = dsvm("advise", str(job(GOOD)), "--inference", "--json", timeout_s=900)

    parts = json.loads(done.stdout)["memory"]["parts"]
    assert parts["gradients"] == parts["optimizer"] == 0
    assert parts["parameters"] == PARAMETERS


def test_a_gpu_is_told_as_not_tested(dsvm: Dsvm, job: Callable[[str], Path]) -> None:
    done = dsvm("advise", str(job(GOOD)), "--device", "cuda", "--json", timeout_s=900)

    told = json.loads(done.stdout)
    assert any("not tested: no GPU" in one for one in told["not_modelled"])
    assert all(one["accelerator"] for one in told["sizes"])
    assert not told["step_seconds"]["calibrated"]


def test_layers_that_are_copied_count_once(dsvm: Dsvm, job: Callable[[str], Path]) -> None:
    layer = "nn.TransformerEncoderLayer(32, 2, 64)"
    text = GOOD.replace("nn.Sequential(nn", f"nn.Sequential(nn.TransformerEncoder({layer}, 3), nn")
    text = text.replace("64, 512", "32, 512").replace("randn(n, 64)", "randn(n, 5, 32)[:, 0]")
    done = dsvm("advise", str(job(text)), "--batch", "2", "--json", timeout_s=900)

    told = json.loads(done.stdout)
    one = 4 * (3 * 32 * 33 + 32 * 33 + 32 * 65 + 33 * 64 + 4 * 32)
    mine = PARAMETERS - 4 * 32 * 512 + 3 * one
    assert told["memory"]["parts"]["parameters"] == pytest.approx(mine, abs=600)


BAD = {
    "forward fails": (
        GOOD.replace("model(batch[0])", "model.nothing(batch[0])"),
        "the job fails before any memory is counted",
    ),
    "batch does not match": (
        GOOD.replace("randn(n, 64)", "randn(n, 63)"),
        "the batch does not fit the model",
    ),
    "data decides": (
        GOOD.replace("    return nn.f", "    if batch[0].sum() > 0: pass\n    return nn.f"),
        "this job cannot be followed without running it",
    ),
    "no loss": (GOOD.replace("def loss", "def lost"), "the file describes no job"),
    "loss is no number": (
        GOOD.replace("nn.functional.cross_entropy(model(batch[0]), batch[1])", "model(batch[0])"),
        "loss() gives no loss",
    ),
    "not Python": ("def model(", "job.py is not Python"),
    "ends its process": ("import torch, os\nos._exit(7)\n", "ended with status 7"),
    "takes all memory": (
        "import torch\nheld = [bytearray(2**30) for _ in range(40)]\n",
        "the job's own code needs too much memory",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_job_is_a_clear_answer(dsvm: Dsvm, job: Callable[[str], Path], name: str) -> None:
    text, what = BAD[name]
    done = dsvm("advise", str(job(text)), timeout_s=900)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("hint: ") or "status 7" in done.stderr
    assert what in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_sleeps_for_ever_is_ended(dsvm: Dsvm, job: Callable[[str], Path]) -> None:
    text = "import subprocess, torch, time\nsubprocess.Popen(['sleep', '7654'])\ntime.sleep(9999)\n"
    done = dsvm("advise", str(job(text)), "--time-limit", "30", timeout_s=300)

    assert done.returncode == 1
    assert "did not end within 30 s" in done.stderr
    running = [one.read_bytes() for one in Path("/proc").glob("[0-9]*/cmdline") if one.exists()]
    assert not any(b"sleep\x007654" in one for one in running)


def test_what_a_file_prints_is_cut_and_what_it_writes_is_gone(
    dsvm: Dsvm, home: Home, job: Callable[[str], Path]
) -> None:
    text = GOOD + (
        "\nfor n in range(200_000): print('x' * 100)\n"
        "open('here', 'w').write('1')\nopen('/tmp/dsvm-advise-was-here', 'w').write('1')\n"
    )
    file = job(text)
    done = dsvm("advise", str(file), "--json", timeout_s=900)

    assert done.returncode == 0, done.stderr
    assert len(done.stdout + done.stderr) < 100_000
    assert [one.name for one in file.parent.iterdir()] == ["job.py"]
    assert not Path("/tmp/dsvm-advise-was-here").exists()


def test_a_configuration_of_an_unknown_type_is_named(dsvm: Dsvm, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"model_type": "no-such-type"}')
    done = dsvm("advise", "--config", str(file), timeout_s=1800)

    assert done.returncode == 1
    assert "transformers knows no model type `no-such-type`" in done.stderr


def test_a_configuration_is_built_without_its_weights(dsvm: Dsvm, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    shape = {"hidden_size": 4096, "num_hidden_layers": 4, "intermediate_size": 8192}
    file.write_text(json.dumps({"model_type": "llama", "vocab_size": 1000, **shape}))
    done = dsvm("advise", "--config", str(file), "--sequence", "64", "--json", timeout_s=1800)

    assert done.returncode == 0, done.stderr
    parts = json.loads(done.stdout)["memory"]["parts"]
    assert parts["parameters"] > 2**31
    assert parts["optimizer"] == pytest.approx(2 * parts["parameters"], rel=0.01)


def test_a_model_of_the_hub_is_meant_by_its_name(dsvm: Dsvm) -> None:
    config = {"model_type": "llama", "vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 1}
    files = {"config.json": json.dumps(config).encode()}
    words = ("advise", "--config", "tests/tiny", "--sequence", "16", "--json")
    with ModelHub(files, repository="tests/tiny", revision="main").serving() as hub:
        done = dsvm(*words, env={"HF_ENDPOINT": hub.address}, timeout_s=1800)
        unknown = dsvm(*words[:2], "tests/nobody", env={"HF_ENDPOINT": hub.address})
    silent = dsvm(*words[:2], "tests/elsewhere", env={"HF_ENDPOINT": "http://127.0.0.1:9"})

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["memory"]["parts"]["parameters"] > 4 * 2 * 1000 * 64
    assert "the hub has no tests/nobody/config.json" in unknown.stderr
    assert "no hub was reached that has such a model" in silent.stderr


def test_a_table_is_answered_by_formula(dsvm: Dsvm) -> None:
    done = dsvm("advise", "--table", "1000000x50", "--model", "lightgbm", "--json", timeout_s=60)

    told = json.loads(done.stdout)
    assert told["step_seconds"] is None
    assert 4 * 10**6 * 50 < told["memory"]["expected_bytes"] < told["memory"]["upper_bytes"]
