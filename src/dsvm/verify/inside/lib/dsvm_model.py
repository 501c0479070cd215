"""What the adapters of models share: `dsvm_model.main(load)`. Standard library only, but for sound.

An adapter, `model.py` of a model's folder, says how the model is loaded and asked. It is called

    model.py                   prove it: its weights' digests, its known answers
    model.py run INPUT...      one line of JSON for each input
    model.py serve             requests of the open inference protocol (v2), a line of JSON each

`load()` gives a function of one input: the text itself, or the path of a file. With
`tensors=True` it is a function of a whole request. What it answers is data for JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
import tomllib
import wave
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

SITE = Path(sys.prefix) / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
NOT_TESTED = 77
TEXT = "text"
Answer = Callable[[Any], Any]


def main(load: Callable[[], Answer], *, tensors: bool = False) -> None:
    """Do what the command line asks of the adapter."""
    how, *inputs = sys.argv[1:] or ["prove"]
    with _only_answers() as answers:
        if how == "prove":
            _prove(load, answers)
        elif how == "run":
            answer = load()
            for given in inputs:
                wanted = json.loads(Path(given).read_text("utf-8")) if tensors else given
                _say(answers, answer(wanted))
        elif how == "serve":
            _serve(load(), answers, tensors=tensors)
        else:
            sys.exit(f"unknown word `{how}`: run INPUT..., serve, or nothing")


def sound(path: str, rate: int = 16_000) -> Any:
    """A recording (WAV, 16 bit) as one channel of numpy float32 within -1 and 1.

    Ends the program with what to do when it is another kind of file, or has another rate.
    """
    import numpy as np

    remedy = f"ffmpeg -i {path} -ac 1 -ar {rate} -c:a pcm_s16le new.wav makes one"
    try:
        with wave.open(path, "rb") as recording:
            there, channels = recording.getframerate(), recording.getnchannels()
            width = recording.getsampwidth()
            frames = recording.readframes(recording.getnframes())
    except (wave.Error, EOFError) as other:
        sys.exit(f"{path} is no WAV file ({other}); {remedy}")
    if (there, width) != (rate, 2):
        sys.exit(f"{path} has {there} samples a second of {8 * width} bits; {remedy}")
    mixed = np.frombuffer(frames, "<i2").reshape(-1, channels).mean(axis=1)
    return (mixed / 32768).astype(np.float32)


def _prove(load: Callable[[], Answer], answers: Any) -> None:
    folder = Path(sys.argv[0]).resolve().parent
    said = tomllib.loads((folder / "model.toml").read_text("utf-8"))
    faults = list(_other_weights(said["weights"]))
    if faults:
        sys.exit("; ".join(faults))
    begin = time.perf_counter()
    answer = load()
    loaded = time.perf_counter()
    for known in said["known"]:
        given = known["input"]
        told = answer(given if said["input"] == TEXT else str(folder / "samples" / given))
        faults += [f"{given}: {fault}" for fault in _differs(known, told)]
    if faults:
        sys.exit("; ".join(faults))
    taken = time.perf_counter() - loaded
    measured = {
        "known_answers": len(said["known"]),
        "load_s": round(loaded - begin, 3),
        "answer_ms": round(1000 * taken / len(said["known"]), 1),
        "memory_mib": peak_mib(),
    }
    _say(answers, measured)


def peak_mib() -> int:
    """The most memory that this process has held (MiB)."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _other_weights(weights: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Which files are missing, or are not those of which the model's folder tells."""
    for name, wanted in weights.items():
        try:
            with (SITE / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as missing:
            yield f"the weights {name} cannot be read: {missing.strerror}"
            continue
        if found != wanted["sha256"]:
            yield f"the weights {name} are others: sha256 {found}, not {wanted['sha256']}"


def _differs(known: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[str]:
    """What of an answer is not as it is known to be."""
    for key, value in known.get("equals", {}).items():
        if told.get(key) != value:
            yield f"{key} is {told.get(key)!r}, not {value!r}"
    for key, least in known.get("least", {}).items():
        if not told.get(key, least - 1) >= least:
            yield f"{key} is {told.get(key)}, at least {least} is demanded"
    for key, most in known.get("most", {}).items():
        if not told.get(key, most + 1) <= most:
            yield f"{key} is {told.get(key)}, at most {most} is demanded"


def _serve(answer: Answer, answers: Any, *, tensors: bool) -> None:
    """Say that it is ready, then answer requests until their stream ends. A request that fails does
    not end it."""
    _say(answers, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            outputs = answer(request) if tensors else _answered(answer, request)
            _say(answers, outputs)
        except (Exception, SystemExit) as fault:  # whatever a model says to an odd input
            _say(answers, {"error": f"{type(fault).__name__}: {fault}"})


def _answered(answer: Answer, request: Mapping[str, Any]) -> dict[str, Any]:
    """Each element of the first tensor is an input: a text, or a file in base64."""
    (tensor, *_) = request["inputs"]
    encoded = tensor.get("parameters", {}).get("content_type") == "base64"
    told = [json.dumps(_one(answer, element, encoded)) for element in tensor["data"]]
    output = {"name": "answer", "datatype": "BYTES", "shape": [len(told)], "data": told}
    return {"outputs": [output]}


def _one(answer: Answer, element: str, encoded: bool) -> Any:
    if not encoded:
        return answer(element)
    with tempfile.NamedTemporaryFile() as file:
        file.write(base64.b64decode(element))
        file.flush()
        return answer(file.name)


class _only_answers:  # noqa: N801 - used as a statement
    """What libraries print goes to stderr, so that stdout holds the answers and nothing else."""

    def __enter__(self) -> Any:
        self._kept = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return os.fdopen(self._kept, "w", encoding="utf-8")

    def __exit__(self, *_: object) -> None:
        sys.stdout = sys.__stdout__


def _say(answers: Any, told: Any) -> None:
    answers.write(json.dumps(told, ensure_ascii=False) + "\n")
    answers.flush()
