"""A pipeline learns handwritten digits it then reads unseen; saved and loaded it reads the same."""

import sys
import time
from pathlib import Path

import dsvm_check
import pandas as pd
import pyspark
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.feature import StandardScaler, StringIndexer, VectorAssembler
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

sys.path.insert(0, str(Path(__file__).parent))
from session import small_session

dsvm_check.lives_in("spark")
spark = small_session()
data = load_digits()
pixels = [f"p{number}" for number in range(64)]
table = pd.DataFrame(data.data, columns=pixels)
table["digit"] = [f"a {number}" for number in data.target]
seen, unseen = (
    spark.createDataFrame(part).cache()
    for part in train_test_split(table, random_state=0, stratify=table["digit"])
)
pipeline = Pipeline(
    stages=[
        StringIndexer(inputCol="digit", outputCol="label"),
        VectorAssembler(inputCols=pixels, outputCol="raw"),
        StandardScaler(inputCol="raw", outputCol="features", withMean=True),
        LogisticRegression(maxIter=15, regParam=0.01),
    ]
)
start = time.perf_counter()
model = pipeline.fit(seen)
seconds = time.perf_counter() - start
read = model.transform(unseen)
accuracy = MulticlassClassificationEvaluator(metricName="accuracy").evaluate(read)
assert accuracy > 0.93, f"accuracy {accuracy:.3f}, more than 0.93 is demanded"
answers = read.select("label", "prediction").toPandas()
right = int(confusion_matrix(answers["label"], answers["prediction"]).trace())
assert round(accuracy * len(answers)) == right, (
    f"{right} of {len(answers)} are right, Spark: {accuracy}"
)

place = f"file://{Path.cwd()}/model"
model.save(place)
again = PipelineModel.load(place).transform(unseen).select("label", "prediction").toPandas()
pd.testing.assert_frame_equal(again, answers)
spark.stop()
dsvm_check.passed(
    accuracy=round(accuracy, 4),
    train_s=round(seconds, 1),
    versions={"spark": pyspark.__version__},
)
