"""Behaviour in a gate: who does not behave stays out, by the same numbers as scikit-learn's, kept for each version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gated
import mlflow
import numpy as np
import pandas as pd
import pytest
from gated import INPUTS, TABLE, gate, register

from dbt_penstock import jinja
from penstock.errors import UnknownNameError
from penstock.monitoring.behaviour.results import BEHAVIOUR
from penstock.monitoring.gates.decide import behave, decide
from penstock.monitoring.gates.promotion import GateRefuses, promote_by_force, promote_by_gate

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CHECKS: list[dict[str, Any]] = [
    {"symmetric_pairs": {"name": "day and night", "change": {"x_day": "x_night", "x_night": "x_day"}, "within": 0.25}},
    {"asymmetric_pairs": {"change": {"x_day": "x_day + 0.5"}, "where": "segment = 'day'", "by": 0.001}},
    {"stable_under": {"change": {"x_night": "x_night + 1e-7"}, "max_share": 0.01}},
    {"error_distance_below": {"distance": "abs(x_day + x_night) * 10", "at_most": 9}},
    {"long_tail_at_least": {"entity": "bucket", "rare_below": 300, "at_least": 0.6, "max_gap": 0.2}},
]


def rows() -> pd.DataFrame:
    return gated.rows().assign(bucket=lambda frame: np.floor(frame.x_day).astype(int))


def native(kind: str, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    return mlflow.sklearn.load_model(gated.logged(kind)[0].model_uri).predict_proba(frame[list(INPUTS)])[:, 1]


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> pd.DataFrame:
    """The rows that neither version was trained on."""
    gated.write(spark, rows(), "default.gate_behaviour")
    return rows().iloc[1999:]


def test_who_does_not_behave_is_refused(spark: SparkSession, table: pd.DataFrame) -> None:
    model, relation = "gated_behaved", "default.gate_behaviour"
    register(model, "plain", "better", "blind")
    promote_by_force(spark, model, 1, reason="first")
    declared = gate(model, behaviour=CHECKS, no_slice_worse_than=1.0, calibrated={"max_ece": 0.5})
    good = decide(spark, declared, relation=relation, challenger=2)
    told = {each.name: each for each in good.conditions if each.name.startswith("behaviour")}
    assert list(told) == [
        "behaviour day and night", "behaviour asymmetric_pairs_x_day", "behaviour stable_under_x_night",
        "behaviour error_distance_below", "behaviour long_tail_at_least_bucket",
    ]  # fmt: skip
    assert good.passed, good.conditions
    blind = decide(spark, declared, relation=relation, challenger=3)
    assert [each.name for each in blind.conditions if not each.passed] == ["behaviour day and night"]
    with pytest.raises(GateRefuses, match=r"behaviour day and night \(0\.\d+ \(.* over 2,001 rows; the champion's"):
        promote_by_gate(spark, model, 3, declared)

    # Each version's numbers are those of scikit-learn, on rows that are changed by pandas.
    kept = spark.table(BEHAVIOUR.name).where(f"model = '{model}'").collect()
    assert len(kept) == 15, "five checks of three versions; the champion's are the same beside either"
    found = {(row["version"], row["name"]): row for row in kept}
    for version, kind in ((1, "plain"), (2, "better"), (3, "blind")):
        score, day = native(kind, table), (table["segment"] == "day").to_numpy()
        swapped = native(kind, table.rename(columns=dict(zip(INPUTS, reversed(INPUTS), strict=True))))
        row = found[version, "day and night"]
        assert row["value"] == pytest.approx((np.abs(swapped - score) > 0.25).mean(), rel=1e-12)
        assert row["passed"] == (row["value"] == 0)
        more = native(kind, table.assign(x_day=table.x_day + 0.5))
        row = found[version, "asymmetric_pairs_x_day"]
        assert (row["rows"], row["value"]) == (day.sum(), pytest.approx((more - score < 0.001)[day].mean()))
        wrong = (score >= 0.5) != (table["label"] == 1)
        far = (table.x_day + table.x_night).abs()[wrong] * 10
        assert found[version, "error_distance_below"]["value"] == pytest.approx(far.mean(), rel=1e-9)
        rare = table.groupby("bucket")["bucket"].transform("size") < 300
        tail = found[version, "long_tail_at_least_bucket"]
        assert tail["value"] == pytest.approx(1 - wrong[rare].mean(), rel=1e-9)
        assert tail["rest"] == pytest.approx(1 - wrong[~rare].mean(), rel=1e-9)


def test_a_version_is_looked_at_without_a_decision(spark: SparkSession, table: pd.DataFrame) -> None:
    model, relation = "gated_looked_at", "default.gate_behaviour"
    register(model, "better")
    declared = gate(model, behaviour=CHECKS[:2])
    found = behave(spark, declared, relation=relation)
    assert [(each["version"], each["name"], each["passed"]) for each in found] == [
        (1, "day and night", True), (1, "asymmetric_pairs_x_day", True),
    ]  # fmt: skip
    commits = spark.sql(f"DESCRIBE HISTORY {BEHAVIOUR.name}").count()
    assert behave(spark, declared, relation=relation, version=1) == found
    assert spark.sql(f"DESCRIBE HISTORY {BEHAVIOUR.name}").count() == commits, "it is kept once"


def test_a_data_test_looks_at_what_the_live_version_gives(spark: SparkSession, table: pd.DataFrame) -> None:
    model = "gated_tested"
    register(model, "blind")
    promote_by_force(spark, model, 1, reason="first")
    asked = {"predict": model, "change": {"x_night": "x_day", "x_day": "x_night"}, "within": 0.25}
    relation = f"(select * from default.gate_behaviour where at >= '{table['at'].iloc[0].isoformat()}') dbt_subquery"
    behaviour = jinja.functions()["behaviour"]
    [row] = spark.sql(behaviour("symmetric_pairs", relation, asked, "spark")).collect()
    score = native("blind", table)
    swapped = native("blind", table.rename(columns=dict(zip(INPUTS, reversed(INPUTS), strict=True))))
    assert (row["rows"], row["value"]) == (len(table), pytest.approx((np.abs(swapped - score) > 0.25).mean()))
    assert spark.sql(behaviour("symmetric_pairs", relation, asked | {"within": 1}, "spark")).collect() == []


def test_a_column_that_there_is_not_is_told(spark: SparkSession) -> None:
    gated.write(spark, gated.rows(), TABLE)
    register("gated_unknown", "better")
    declared = gate("gated_unknown", behaviour=[{"stable_under": {"change": {"x_dai": "1"}}}])
    with pytest.raises(UnknownNameError, match=r"unknown column 'x_dai'\n.*stable_under_x_dai of the gate\n.*x_day"):
        behave(spark, declared, relation=TABLE)
