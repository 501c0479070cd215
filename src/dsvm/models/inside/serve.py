"""Serve a model of this machine by the open inference protocol (v2): serve.py NAME SOCKET.

KServe answers, in the environment `serving`; the model works in its own environment and is asked
through a pipe. The socket is for who may enter its folder. It ends when its input does.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

from kserve import InferOutput, InferResponse, Model
from kserve.errors import InferenceError, InvalidInput
from kserve.model_repository import ModelRepository
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import RESTServer

PROGRAM = "/usr/bin/dsvm-model"
APPLICATION = "kserve.model_server:app"


class Asked(Model):
    """The model, asked one request at a time."""

    def load(self):
        self.worker = subprocess.Popen(
            [PROGRAM, "--serve", self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.turn = threading.Lock()
        self.ready = bool(self.worker.stdout.readline())
        return self.ready

    def predict(self, payload, headers=None, response_headers=None):
        inputs = [_tensor(one) for one in payload.inputs]
        with self.turn:
            self.worker.stdin.write(json.dumps({"inputs": inputs}) + "\n")
            self.worker.stdin.flush()
            line = self.worker.stdout.readline()
        if not line:
            raise InferenceError(f"the model {self.name} ended")
        told = json.loads(line)
        if "error" in told:
            raise InvalidInput(told["error"])
        outputs = [InferOutput(**one) for one in told["outputs"]]
        return InferResponse(payload.id, self.name, outputs)


def _tensor(one):
    return {
        "name": one.name,
        "shape": list(one.shape),
        "datatype": one.datatype,
        "data": one.data if isinstance(one.data, list) else one.as_numpy().ravel().tolist(),
        "parameters": one.parameters or {},
    }


def _end_with_input():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main(name, place):
    model = Asked(name)
    if not model.load():
        sys.exit(f"the model {name} did not start")
    registry = ModelRepository()
    registry.update(model)
    extension = ModelRepositoryExtension(model_registry=registry)
    server = RESTServer(APPLICATION, DataPlane(model_registry=registry), extension, 0)
    threading.Thread(target=_end_with_input, daemon=True).start()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        server.run(sockets=[listening])
    model.worker.stdin.close()
    model.worker.wait()


main(*sys.argv[1:])
