"""A better version goes through its gate and back again; docs/gates.md tells how. test_gate_refusals.py has more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gated
from gated import TABLE, gate, mirrored, register, scores

from penstock.monitoring.behaviour.results import BEHAVIOUR
from penstock.monitoring.gates.decide import GATES, decide
from penstock.monitoring.gates.promotion import promote_by_force, promote_by_gate
from penstock.scoring.functions import ALIASES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PAGE = (Path(__file__).parents[2] / "docs" / "gates.md").read_text()


def commits(spark: SparkSession) -> list[int]:
    """How many there are of gates, of aliases and of results of behaviour."""
    return [spark.sql(f"DESCRIBE HISTORY {name}").count() for name in (GATES.name, ALIASES, BEHAVIOUR.name)]


def test_a_better_version_goes_live_by_its_gate_and_back(spark: SparkSession) -> None:
    gated.write(spark, gated.rows())
    register("gated", "plain", "better")
    promote_by_force(spark, "gated", 1, reason="the first")
    steady = {"change": {"x_day": "x_day * 1.001"}, "within": 0.01}
    before, declared = scores(spark, "gated"), gate("gated", behaviour=[{"stable_under": steady}])

    decision = decide(spark, declared, relation=TABLE)
    row = decision.row
    assert decision.passed, decision.conditions
    assert (row["champion"], row["challenger"], row["compared"]) == (1, 2, 2001), "what they were trained on counts not"
    assert 0.001 < row["gain_low"] < row["gain"] < row["gain_high"]
    assert 0.8 < row["challenger_auc"] < 0.9
    assert {each["value"] for each in row["slices"]} == {"day", "night"}
    [steady_1, steady_2] = spark.table(BEHAVIOUR.name).where("model = 'gated'").orderBy("version").collect()
    assert (steady_1["version"], steady_2["version"], steady_2["passed"], steady_2["value"]) == (1, 2, True, 0.0)
    state = commits(spark)
    assert decide(spark, declared, relation=TABLE).id == decision.id
    assert (commits(spark), scores(spark, "gated")) == (state, before), "it moves nothing, and is not logged again"

    # What the page has in Python: on the gate, and, by its last line, back.
    [python] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    *forth, back = python.strip().splitlines()
    names: dict[str, Any] = {"spark": spark, "gate": declared}
    exec("\n".join(forth), names)
    assert (names["decision"].id, mirrored("gated")) == (decision.id, 2)
    assert scores(spark, "gated") != before
    state = commits(spark)
    assert promote_by_gate(spark, "gated", 2, declared).before == 2
    assert commits(spark) == state, "a promotion that is done changes nothing"
    exec(back, names)
    assert (scores(spark, "gated"), mirrored("gated")) == (before, 1)
    [sql] = re.findall(r"```\n(SELECT.*?)```", PAGE, re.S)
    assert {each["name"] for each in spark.sql(sql).collect()} == {each.name for each in decision.conditions}
