"""A better version goes through its gate and back again; docs/gates.md tells how. test_gate_refusals.py has more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import gated
import numpy as np
import pytest
from gated import TABLE, gate, mirrored, register, scores

from penstock.monitoring.auc import areas
from penstock.monitoring.gates import GATES, decide
from penstock.monitoring.paired import Scored, compare
from penstock.monitoring.promotion import promote_by_force, promote_by_gate
from penstock.scoring.functions import ALIASES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PAGE = (Path(__file__).parents[2] / "docs" / "gates.md").read_text()


def test_a_comparison_is_that_of_duckdb(spark: SparkSession, ansi: None) -> None:
    frame = gated.rows(600)
    draw = np.random.default_rng(2)
    for name, noise in (("champion", 1.5), ("challenger", 0.5)):
        frame[name] = (1 / (1 + np.exp(-2 * frame.x_day - draw.normal(0, noise, len(frame))))).round(2)
    frame.loc[::17, "challenger"] = None
    frame.loc[::23, "segment"] = None
    connection = duckdb.connect()
    connection.register("compared_rows", frame)
    spark.createDataFrame(frame).createOrReplaceTempView("compared_rows")
    scored = Scored("compared_rows")
    for query in (
        lambda dialect: compare(scored, dialect, loss_name="log_loss", slices=["segment"]),
        lambda dialect: areas(scored, dialect),
    ):
        answer = connection.execute(query("duckdb").sql("duckdb"))
        names, there = [each[0] for each in answer.description], answer.fetchall()
        here = [tuple(row) for row in spark.sql(query("spark").sql("spark")).collect()]
        assert len(here) == len(there)
        for row, other in zip(sorted(here, key=str), sorted(there, key=str), strict=True):
            for name, value, expected in zip(names, row, other, strict=True):
                assert value == (pytest.approx(expected, rel=1e-9) if isinstance(expected, float) else expected), name
    spark.catalog.dropTempView("compared_rows")


def commits(spark: SparkSession) -> list[int]:
    """How many there are of gates and of aliases."""
    return [spark.sql(f"DESCRIBE HISTORY {name}").count() for name in (GATES.name, ALIASES)]


def test_a_better_version_goes_live_by_its_gate_and_back(spark: SparkSession) -> None:
    gated.write(spark, gated.rows())
    register("gated", "plain", "better")
    promote_by_force(spark, "gated", 1, reason="the first")
    before, declared = scores(spark, "gated"), gate("gated")

    decision = decide(spark, declared, relation=TABLE)
    row = decision.row
    assert decision.passed, decision.conditions
    assert (row["champion"], row["challenger"], row["compared"]) == (1, 2, 2001), "what they were trained on counts not"
    assert 0.001 < row["gain_low"] < row["gain"] < row["gain_high"]
    assert 0.8 < row["challenger_auc"] < 0.9
    assert {each["value"] for each in row["slices"]} == {"day", "night"}
    state = commits(spark)
    assert decide(spark, declared, relation=TABLE).id == decision.id
    assert (commits(spark), scores(spark, "gated")) == (state, before), "it moves nothing, and is not logged again"

    done = promote_by_gate(spark, "gated", 2, declared)
    assert (done.before, done.gate_id, mirrored("gated")) == (1, decision.id, 2)
    state = commits(spark)
    assert promote_by_gate(spark, "gated", 2, declared).before == 2
    assert commits(spark) == state, "a promotion that is done changes nothing"
    assert scores(spark, "gated") != before

    # What the page has in Python: the gate that decided is decided again, and then the way back.
    [python] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    *imports, back = python.strip().splitlines()
    exec("\n".join([*(line for line in imports if line.startswith("from ")), back]), {"spark": spark, "gate": declared})
    assert (scores(spark, "gated"), mirrored("gated")) == (before, 1)
    [sql] = re.findall(r"```\n(SELECT.*?)```", PAGE, re.S)
    assert {each["name"] for each in spark.sql(sql).collect()} == {each.name for each in decision.conditions}
