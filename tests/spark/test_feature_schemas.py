"""Features as seen, and their schemas: columns come and widen, old rows stay as they were and readable."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from penstock.errors import PenstockError
from penstock.monitoring.record import feature_sets
from penstock.monitoring.record.feature_sets import WIDER, declare_features, evolve, schema_of
from penstock.monitoring.record.log import log_features

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AT = datetime(2026, 3, 1, tzinfo=UTC)


def seen(name: str, **features: Any) -> pd.DataFrame:
    """One row of features."""
    return pd.DataFrame([{"prediction_id": name, "at": AT, **features}])


def test_rows_name_the_schema_that_they_were_written_by(spark: SparkSession) -> None:
    first = declare_features(spark, "wheel", {"speed": "INT", "place": "STRING"})
    assert declare_features(spark, "wheel", {"place": "string", "speed": "int"}) == first
    spark.sql("CREATE OR REPLACE TABLE default.wheel_kept (id INT, speed INT) USING DELTA")
    spark.sql("INSERT INTO default.wheel_kept VALUES (1, 7)")
    assert log_features(spark, "wheel", seen("a", speed=1, place="x")) == 1
    flow = {"add": {"load": "DOUBLE"}, "retype": {"speed": "BIGINT"}, "tables": ["default.wheel_kept"]}
    evolved = evolve(spark, "wheel", **flow)  # type: ignore[arg-type]
    assert (evolved.version, dict(evolved.features)) == (2, {"load": "double", "place": "string", "speed": "bigint"})
    history = [spark.sql(f"DESCRIBE HISTORY {table}").count() for table in ("ml.features_wheel", "ml.feature_sets")]
    assert evolve(spark, "wheel", **flow) == evolved, "again it does nothing"  # type: ignore[arg-type]
    assert history == [
        spark.sql(f"DESCRIBE HISTORY {table}").count() for table in ("ml.features_wheel", "ml.feature_sets")
    ]
    assert log_features(spark, "wheel", seen("b", speed=2**40, place="y", load=0.5)) == 1
    assert log_features(spark, "wheel", seen("a", speed=1, place="x")) == 0, "the old row is the same row"
    columns = ("prediction_id", "schema_version", "speed", "place", "load")
    held = spark.table("ml.features_wheel").select(*columns).orderBy("prediction_id").collect()
    assert [tuple(row) for row in held] == [("a", 1, 1, "x", None), ("b", 2, 2**40, "y", 0.5)]
    assert spark.table("default.wheel_kept").dtypes == [("id", "int"), ("speed", "bigint"), ("load", "double")]
    assert [tuple(row) for row in spark.table("default.wheel_kept").collect()] == [(1, 7, None)]


def test_what_was_cut_short_is_finished(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    declare_features(spark, "cut", {"speed": "INT"})
    with monkeypatch.context() as patched:
        patched.setattr(feature_sets, "_record", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            evolve(spark, "cut", add={"load": "INT"}, retype={"speed": "DOUBLE"})
    assert schema_of(spark, "cut").version == 1
    assert [log_features(spark, "cut", seen("a", speed=1)) for _ in range(2)] == [1, 0], "writers do not wait for it"
    assert evolve(spark, "cut", add={"load": "INT"}, retype={"speed": "DOUBLE"}).version == 2
    assert [row["speed"] for row in spark.table("ml.features_cut").collect()] == [1.0]


def test_all_that_is_said_to_widen_does(spark: SparkSession) -> None:
    pairs = [(held, wider) for held, more in WIDER.items() for wider in more] + [("decimal(5,2)", "decimal(12,4)")]
    names = {f"f{i}": held for i, (held, _) in enumerate(pairs)}
    declare_features(spark, "wide", names)
    values = {name: Decimal("1.25") if held.startswith("decimal") else 1 for name, held in names.items()}
    cast = ", ".join(f"CAST({values[name]} AS {held}) AS {name}" for name, held in names.items())
    log_features(spark, "wide", spark.sql(f"SELECT 'a' AS prediction_id, CURRENT_TIMESTAMP() AS at, {cast}"))
    evolve(spark, "wide", retype={f"f{i}": wider for i, (_, wider) in enumerate(pairs)})
    held = spark.table("ml.features_wide").select(*names).first()
    assert held is not None
    assert list(held) == list(values.values())
    assert [type for _, type in spark.table("ml.features_wide").select(*names).dtypes] == [wider for _, wider in pairs]


def test_what_cannot_evolve_is_refused_and_nothing_changes(spark: SparkSession) -> None:
    declare_features(spark, "stays", {"speed": "BIGINT", "place": "STRING"})
    for change, said in (
        ({"add": {"load": "INT"}, "retype": {"sped": "DOUBLE"}}, "unknown feature 'sped'\n.*\n  did you mean: speed"),
        ({"add": {"load": "INT"}, "retype": {"speed": "DOUBLE"}}, "'speed' is bigint, which double does not hold"),
        ({"add": {"load": "INT"}, "retype": {"speed": "INT"}}, "does not hold all values"),
        ({"add": {"load": "INT", "speed": "INT"}}, "feature 'speed' is there as bigint"),
        ({"add": {"load": "INT", "Speed": "BIGINT"}}, "feature 'speed' is there as bigint"),
        ({"add": {"load": "INT", "at": "INT"}}, "'at' is no name of a feature"),
        ({"add": {"load": "FLOAT64"}}, "'FLOAT64' is no type of a feature"),
    ):
        with pytest.raises(PenstockError, match=said):
            evolve(spark, "stays", **change)  # type: ignore[arg-type]
    assert schema_of(spark, "stays").version == 1
    assert "load" not in spark.table("ml.features_stays").columns
    for name, rows, said in (
        ("stay", seen("a", speed=1), "unknown feature set 'stay'\n.*\n  did you mean: stays"),
        ("stays", seen("a", sped=1), "unknown column 'sped'\n.*\n  did you mean: speed"),
        ("stays", seen("a", speed=1.5), "'speed' is DOUBLE, not BIGINT"),
        ("stays", seen("a", speed=1, schema_version=2), "is of a schema that there is not"),
    ):
        with pytest.raises(PenstockError, match=said):
            log_features(spark, name, rows)
    with pytest.raises(PenstockError, match=r"has another schema[\s\S]*evolve"):
        declare_features(spark, "stays", {"speed": "BIGINT"})
    with pytest.raises(PenstockError, match="no name of a feature set"):
        declare_features(spark, "no name", {"speed": "BIGINT"})
