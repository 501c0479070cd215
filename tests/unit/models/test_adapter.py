"""What the adapters of models share: answers, proofs, requests, and sounds."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[3] / "src/dsvm/verify/inside/lib"
ADAPTER = """\
from pathlib import Path
import dsvm_model

def load():
    print("a library talks")
    def answer(path):
        text = Path(path).read_text()
        if text == "odd":
            raise ValueError("this is odd")
        return {"length": len(text)}
    return answer

dsvm_model.main(load)
"""
TOML = """\
input = "file"
[weights."{weights}"]
sha256 = "{digest}"
[[known]]
input = "four"
{known}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/four").write_text("four")
    (tmp_path / "model.py").write_text(ADAPTER)
    (tmp_path / "weights").write_bytes(b"learned")
    return tmp_path


def asked(folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, folder / "model.py", *words],
        env={**os.environ, "PYTHONPATH": str(LIBRARY)},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def proven(
    folder: Path, known: str, weights: bytes = b"learned"
) -> subprocess.CompletedProcess[str]:
    digest = hashlib.sha256(weights).hexdigest()
    text = TOML.format(weights=folder / "weights", digest=digest, known=known)
    (folder / "model.toml").write_text(text)
    return asked(folder)


def test_each_input_has_one_line_and_what_libraries_say_is_not_among_them(folder: Path) -> None:
    file = str(folder / "samples/four")

    done = asked(folder, "run", file, file)

    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"length": 4}] * 2
    assert done.stderr == "a library talks\n"


@pytest.mark.parametrize(
    ("known", "fault"),
    [
        ("equals = { length = 4 }", None),
        ("least = { length = 4 }\nmost = { length = 4.5 }", None),
        ("equals = { length = 5 }", "four: length is 4, not 5"),
        ("least = { length = 4.5 }", "four: length is 4, at least 4.5 is demanded"),
        ("most = { length = 3 }", "four: length is 4, at most 3 is demanded"),
        ("least = { width = 0 }", "four: width is None, at least 0 is demanded"),
    ],
)
def test_a_known_answer_must_come(folder: Path, known: str, fault: str | None) -> None:
    done = proven(folder, known)

    if fault:
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == fault
    else:
        assert done.returncode == 0
        assert json.loads(done.stdout)["known_answers"] == 1


def test_other_weights_are_refused_before_they_are_loaded(folder: Path) -> None:
    done = proven(folder, "equals = { length = 4 }", weights=b"another")

    assert done.returncode == 1
    assert "are others: sha256" in done.stderr
    assert "a library talks" not in done.stderr


def test_missing_weights_are_told(folder: Path) -> None:
    (folder / "weights").unlink()

    assert "cannot be read: No such file" in proven(folder, "equals = { length = 4 }").stderr


def test_requests_are_answered_one_after_the_other_and_a_fault_ends_nothing(folder: Path) -> None:
    def request(text: str) -> str:
        tensor = {
            "name": "file",
            "datatype": "BYTES",
            "shape": [1],
            "parameters": {"content_type": "base64"},
            "data": [base64.b64encode(text.encode()).decode()],
        }
        return json.dumps({"inputs": [tensor]}) + "\n"

    done = asked(folder, "serve", stdin=request("odd") + request("12345"))

    ready, odd, answer = map(json.loads, done.stdout.splitlines())
    assert ready == {"ready": True}
    assert odd == {"error": "ValueError: this is odd"}
    (output,) = answer["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1])
    assert json.loads(output["data"][0]) == {"length": 5}


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_sound_of_another_rate_is_refused_with_the_line_that_mends_it(
    tmp_path: Path, rate: int
) -> None:
    file = tmp_path / "tone.wav"
    with wave.open(str(file), "wb") as recording:
        recording.setnchannels(2)
        recording.setsampwidth(2)
        recording.setframerate(rate)
        recording.writeframes(bytes([0, 64, 0, 0]) * 100)
    program = f"import dsvm_model; print(dsvm_model.sound({str(file)!r})[0])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(LIBRARY)},
        capture_output=True,
        text=True,
        check=False,
    )

    if rate == 16_000:
        assert done.stdout == "0.25\n"
    else:
        assert "has 44100 samples a second of 16 bits; ffmpeg -i" in done.stderr
