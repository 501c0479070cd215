"""An ONNX model of a hub: asked with tensors, as the open inference protocol (v2) has them.

Its known answers are the ONNX Model Zoo's own form: folders `test_data_set_N` beside the model,
each with `input_0.pb`, ... and `output_0.pb`, ... (onnx.TensorProto).
"""

import json
import sys
import time
from pathlib import Path

import dsvm_model
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

FILES = Path("/opt/dsvm/apps") / Path(sys.prefix).name
TYPES = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT8": np.int8,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
NAMES = {np.dtype(kind): name for name, kind in TYPES.items()}
# As onnx's own tests of its models compare (onnx.backend.test.runner).
RELATIVE, ABSOLUTE = 1e-3, 1e-5


def network():
    (path, *_) = sorted(FILES.rglob("*.onnx"))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return path, session


def load():
    _, session = network()

    def answer(request):
        values = session.run(None, {one["name"]: _array(one) for one in request["inputs"]})
        names = [one.name for one in session.get_outputs()]
        return {"outputs": [_tensor(*each) for each in zip(names, values, strict=True)]}

    return answer


def _array(tensor):
    return np.array(tensor["data"], TYPES[tensor["datatype"]]).reshape(tensor["shape"])


def _tensor(name, value):
    kind = NAMES[value.dtype]
    return {
        "name": name,
        "datatype": kind,
        "shape": list(value.shape),
        "data": value.ravel().tolist(),
    }


def prove():
    begin = time.perf_counter()
    path, session = network()
    loaded = time.perf_counter()
    sets = sorted(path.parent.glob("test_data_set_*"))
    if not sets:
        print(f"it loads; no known answer: {path.name} has no test_data_set_0 beside it")
        sys.exit(dsvm_model.NOT_TESTED)
    for folder in sets:
        inputs = zip(session.get_inputs(), _tensors(folder, "input"), strict=True)
        told = session.run(None, {one.name: value for one, value in inputs})
        for number, (value, known) in enumerate(zip(told, _tensors(folder, "output"), strict=True)):
            if value.shape != known.shape:
                sys.exit(f"{folder.name}: output {number} is {value.shape}, not {known.shape}")
            if not np.allclose(value, known, rtol=RELATIVE, atol=ABSOLUTE):
                worst = float(np.abs(value - known).max())
                sys.exit(
                    f"{folder.name}: output {number} differs from the known one by {worst:.3g}"
                )
    measured = {
        "known_answers": len(sets),
        "load_s": round(loaded - begin, 3),
        "answer_ms": round(1000 * (time.perf_counter() - loaded) / len(sets), 1),
        "memory_mib": dsvm_model.peak_mib(),
        "versions": {"onnxruntime": onnxruntime.__version__},
    }
    print(json.dumps(measured))


def _tensors(folder, kind):
    files = sorted(folder.glob(f"{kind}_*.pb"), key=lambda file: int(file.stem.rpartition("_")[2]))
    return [numpy_helper.to_array(onnx.load_tensor(file)) for file in files]


if len(sys.argv) == 1:
    prove()
else:
    dsvm_model.main(load, tensors=True)
