"""The ledger: what promotions were worth, as pandas finds it from the same predictions and feedback."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from registered import register

from penstock.monitoring.gates.decide import GATES
from penstock.monitoring.gates.definition import parse_gate
from penstock.monitoring.gates.ledger import COLUMNS, Term, ledger_sql
from penstock.monitoring.record.log import log_feedback, log_predictions
from penstock.monitoring.record.tables import ensure

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MODEL = "pump"
START = datetime(2026, 5, 1, tzinfo=UTC)
GATE = parse_gate(
    {
        "evaluate": "pumped", "label": "y", "time": "at", "loss": "squared_error",
        "realised": {"kind": "pumped", "horizon": "1 hour"},
    },
    model=MODEL, where="models/pump.yml",
)  # fmt: skip
# Version 1 is live for a day, version 2 for a day beside 1 in shadow, version 3 since, with nobody beside it.
DAYS = [START + timedelta(days=day) for day in range(4)]
TERMS = [
    Term(DAYS[0], DAYS[1], 1, None, "first version"),
    Term(DAYS[1], DAYS[2], 2, 1, "gate 00000000-0000-5000-8000-000000000002"),
    Term(DAYS[2], DAYS[3], 3, 2, "forced: it had to be"),
]


@pytest.fixture(scope="module")
def predicted(spark: SparkSession) -> pd.DataFrame:
    """An hour is an entity; a tenth of them have no label, and each has feedback of another kind, too."""
    register(MODEL, versions=3)
    ensure(spark, GATES)
    draw = np.random.default_rng(4)
    rows, truths = [], []
    for hour in range(72):
        at, y = START + timedelta(hours=hour, minutes=1), float(draw.integers(0, 2))
        live = 1 + hour // 24
        roles = [(live, "live"), *([(1, "shadow")] if live == 2 else [])]
        for version, role in roles:
            score = float(np.clip(y + draw.normal(0, 0.6 / version), 0, 1))
            rows.append(
                {"at": at, "entity": {"hour": hour}, "version": version, "role": role, "prediction": score, "y": y}
            )
        if draw.uniform() > 0.1:
            truths.append(
                {"entity": {"hour": hour}, "kind": "pumped", "value": y, "event_at": at + timedelta(minutes=5)}
            )
        else:
            for row in rows[-len(roles) :]:
                row["y"] = None
        truths.append({"entity": {"hour": hour}, "kind": "other", "value": 9.0, "event_at": at + timedelta(minutes=5)})
    frame = pd.DataFrame(rows)
    log_predictions(spark, frame.drop(columns="y"), model=MODEL)
    told = pd.DataFrame(truths)
    log_feedback(spark, told.assign(arrived_at=told["event_at"]), source="test")
    return frame.assign(
        loss=(frame.prediction - frame.y) ** 2, hour=frame.entity.map(lambda keys: keys["hour"])
    ).dropna()


def rows_of(spark: SparkSession, sql: str) -> list[dict[str, Any]]:
    return [row.asDict() for row in spark.sql(sql).collect()]


def test_gains_are_realised_beside_the_shadow_or_before_and_after(
    spark: SparkSession, predicted: pd.DataFrame, ansi: None
) -> None:
    first, second, third = rows_of(spark, ledger_sql(GATE, TERMS))
    assert tuple(first) == COLUMNS
    assert (first["version"], first["before"], first["realised"], first["how"]) == (1, None, None, None)

    new = predicted[predicted.version == 2].set_index("hour")["loss"]
    gains = predicted[predicted.role == "shadow"].set_index("hour")["loss"] - new
    assert (second["how"], second["compared"], second["gate_id"]) == ("paired", len(gains), TERMS[1].reason[5:])
    assert second["realised"] == pytest.approx(gains.mean())
    assert second["realised_high"] - second["realised"] == pytest.approx(1.959963985 * gains.sem())

    live = predicted[predicted.role == "live"]
    sides = [live[live.version == version]["loss"] for version in (2, 3)]
    assert (third["how"], third["compared"], third["gate_id"]) == ("before and after", sum(map(len, sides)), None)
    assert third["realised"] == pytest.approx(sides[0].mean() - sides[1].mean())
    width = 1.959963985 * (sides[0].sem() ** 2 + sides[1].sem() ** 2) ** 0.5
    assert third["realised"] - third["realised_low"] == pytest.approx(width)


def test_without_a_kind_of_feedback_or_promotions_nothing_is_realised(
    spark: SparkSession, predicted: pd.DataFrame
) -> None:
    untold = rows_of(spark, ledger_sql(replace(GATE, realised=None), TERMS))
    assert [row["realised"] for row in untold] == [None] * 3
    assert rows_of(spark, ledger_sql(GATE, [])) == []
