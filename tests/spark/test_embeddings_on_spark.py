"""Places of embeddings on Spark are those of numpy, and the page's model finds an embedding that moved."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from penstock.monitoring.drift.projections import projected, random_projection, stored

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PAGE = (Path(__file__).parents[2] / "docs" / "embeddings.md").read_text()


@pytest.mark.usefixtures("ansi")
def test_places_are_those_of_numpy(spark: SparkSession) -> None:
    draw = np.random.default_rng(5)
    cloud = draw.normal(0, 1, (40, 24)).astype(np.float32)
    rows = [(at, each) for at, each in enumerate([*cloud.tolist(), None, [1.0], [None] * 24])]
    spark.createDataFrame(rows, "id INT, e ARRAY<FLOAT>").createOrReplaceTempView("clouds")
    projection = random_projection(24, 3, seed=2)
    sql = projected("clouds", "e", stored(projection, "spark"), 3, "spark").sql("spark")
    found = np.array([row[1:] for row in spark.sql(sql).orderBy("id").collect()], dtype=float)
    np.testing.assert_allclose(found[:40], cloud.astype(float) @ np.array(projection.weights).T, rtol=1e-9, atol=1e-12)
    assert np.isnan(found[40:]).all()


def test_the_model_of_the_page(spark: SparkSession) -> None:
    draw = np.random.default_rng(6)
    names: dict[str, Any] = {}
    exec(re.findall(r"```python-model\n(.*?)```", PAGE, re.DOTALL)[0], names)

    class Dbt:
        """What the model takes of dbt."""

        def __init__(self, scale: float) -> None:
            self.scale = scale

        def config(self, **_: Any) -> None:
            """Nothing of it counts here."""

        def ref(self, name: str) -> Any:
            scale = self.scale if name == "reviews_of_today" else 1.0
            rows = [(at, each.tolist()) for at, each in enumerate(draw.normal(0, scale, (300, 6)))]
            return spark.createDataFrame(rows, "review_id INT, embedding ARRAY<DOUBLE>")

    [same] = names["model"](Dbt(1.0), spark).collect()
    [other] = names["model"](Dbt(2.0), spark).collect()
    assert (same["p"] > 0.001, other["p"] < 1e-6, other["auc"] > 0.8) == (True, True, True)
    assert other["current_rows"] == 300
