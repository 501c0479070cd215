"""The server: what a person writes to serve a model of scikit-learn."""

import joblib
from kserve import InferOutput, InferResponse, Model, ModelServer


class Iris(Model):
    def load(self):
        self.model = joblib.load("iris.joblib")
        self.ready = True
        return self.ready

    def predict(self, payload, headers=None, response_headers=None):
        chances = self.model.predict_proba(payload.inputs[0].as_numpy())
        output = InferOutput("chances", list(chances.shape), "FP64", chances.flatten().tolist())
        return InferResponse(payload.id, self.name, [output])


model = Iris("iris")
model.load()
ModelServer(workers=1).start([model])
