"""Who may not go live, and what a kill, a second promotion, a rebuilt table or a wrong declaration leaves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import gated
import pytest
from gated import TABLE, gate, mirrored, register, scores

from penstock.errors import InvalidDefinitionError, InvalidRequestError, PenstockError, UnknownNameError
from penstock.monitoring.gates.decide import decide
from penstock.monitoring.gates.promotion import GateRefuses, promote_by_force, promote_by_gate
from penstock.registry import promote
from penstock.registry.promote import live_version, roll_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession


@pytest.fixture(scope="module", autouse=True)
def table(spark: SparkSession) -> None:
    gated.write(spark, gated.rows())


def test_a_first_version_is_judged_alone(spark: SparkSession) -> None:
    register("gated_first", "plain", "better")
    alone = decide(spark, gate("gated_first"), relation=TABLE, challenger=1)
    assert [each.name for each in alone.conditions] == ["min_rows", "scored", "calibrated"]
    assert not alone.passed, "half of what it learnt is wrong"
    lenient = gate("gated_first", calibrated={"max_ece": 0.5})
    passed = decide(spark, lenient, relation=TABLE, challenger=1)
    assert (passed.passed, passed.row["champion"], passed.row["gain"]) == (True, None, None)
    assert promote_by_gate(spark, "gated_first", 1, lenient).before is None


def test_what_was_rolled_back_is_judged_anew(spark: SparkSession) -> None:
    register("gated_anew", "plain", "better")
    promote_by_force(spark, "gated_anew", 1, reason="first")
    declared = gate("gated_anew")
    decision = decide(spark, declared, relation=TABLE)
    promote_by_gate(spark, "gated_anew", 2, declared)
    roll_back(spark, "gated_anew")
    with pytest.raises(InvalidRequestError, match="no version before version 1 to go back to"):
        roll_back(spark, "gated_anew")
    with pytest.raises(GateRefuses, match=r"no gate has judged version 2 .* beside version 1, which is live"):
        promote_by_gate(spark, "gated_anew", 2, declared)
    again = decide(spark, declared, relation=TABLE, challenger=2)
    assert again.id != decision.id
    assert promote_by_gate(spark, "gated_anew", 2, declared).gate_id == again.id


def test_who_is_no_better_or_fails_a_slice_is_refused(spark: SparkSession) -> None:
    register("gated_bad", "plain", "shuffled", "blind")
    promote_by_force(spark, "gated_bad", 1, reason="first")
    declared = gate("gated_bad", calibrated={"max_ece": 0.5})
    shuffled = decide(spark, declared, relation=TABLE, challenger=2)
    assert next(each.name for each in shuffled.conditions if not each.passed) == "better_by"
    blind = decide(spark, declared, relation=TABLE, challenger=3)
    [failed] = [each for each in blind.conditions if not each.passed]
    assert failed.name == "no_slice_worse_than"
    assert failed.told.startswith("segment = night: gain -")
    for version in (2, 3):
        with pytest.raises(GateRefuses, match="the gate refused version"):
            promote_by_gate(spark, "gated_bad", version, declared)
    assert live_version(spark, "gated_bad") == 1
    done = promote_by_force(spark, "gated_bad", 3, reason="nights are closed")
    assert (done.gate_id, live_version(spark, "gated_bad")) == (None, 3)
    assert spark.table("ml.model_aliases").where("model = 'gated_bad'").first()["reason"] == "forced: nights are closed"
    with pytest.raises(InvalidRequestError, match="has no reason"):
        promote_by_force(spark, "gated_bad", 1, reason=" ")


def test_only_the_newest_gate_on_these_versions_counts(spark: SparkSession) -> None:
    own = "default.gate_rows_rebuilt"
    gated.write(spark, gated.rows(), own)
    register("gated_pair", "plain", "better", "better")
    promote_by_force(spark, "gated_pair", 1, reason="first")
    declared = gate("gated_pair")
    with pytest.raises(GateRefuses, match="has no gate"):
        promote_by_gate(spark, "gated_pair", 2, None)
    first = decide(spark, declared, relation=own, challenger=2)
    assert first.passed
    with pytest.raises(GateRefuses, match="no gate has judged version 3"):
        promote_by_gate(spark, "gated_pair", 3, declared)
    with pytest.raises(GateRefuses, match="judged by other conditions than are declared now"):
        promote_by_gate(spark, "gated_pair", 2, gate("gated_pair", better_by=0.002))
    # A rebuild in which the labels are wrong: what passed on the older version of the table is over.
    wrong = gated.rows()
    gated.write(spark, wrong.assign(label=1 - wrong.label), own)
    with pytest.raises(GateRefuses, match="was judged on other rows"):
        promote_by_gate(spark, "gated_pair", 2, declared)
    second = decide(spark, declared, relation=own, challenger=2)
    assert second.row["relation_version"] == first.row["relation_version"] + 1
    assert (second.passed, second.row["after"]) == (False, first.id)
    with pytest.raises(GateRefuses, match="the gate refused version 2"):
        promote_by_gate(spark, "gated_pair", 2, declared)
    assert live_version(spark, "gated_pair") == 1


def test_approval_and_tests_are_conditions(spark: SparkSession) -> None:
    register("gated_asked", "plain", "better")
    promote_by_force(spark, "gated_asked", 1, reason="first")
    declared = gate("gated_asked", approval=["ada"], tests=["no_mistakes"])

    def failed(**told: Any) -> list[str]:
        decision = decide(spark, declared, relation=TABLE, **told)
        return [each.name for each in decision.conditions if not each.passed]

    assert failed() == ["test no_mistakes", "approval"]
    passed = {"results": {"no_mistakes": "pass", "other": "fail"}}
    assert failed(**passed) == ["approval"]
    assert failed(**passed, approved_by="bob") == ["approval"]
    assert failed(**passed, approved_by="ada") == []
    assert failed(**passed) == [], "it stays approved"
    assert failed(results={"no_mistakes": "fail"}) == ["test no_mistakes", "approval"], "something else was approved"


def test_of_two_promotions_at_once_one_wins(spark: SparkSession) -> None:
    register("gated_race", "plain", "better", "better")
    promote_by_force(spark, "gated_race", 1, reason="first")
    declared = gate("gated_race")
    for version in (2, 3):
        assert decide(spark, declared, relation=TABLE, challenger=version).passed
    ready = threading.Barrier(2)
    won, lost = [], []

    def go(version: int) -> None:
        session = spark.newSession()
        ready.wait()
        try:
            won.append(promote_by_gate(session, "gated_race", version, declared).version)
        except PenstockError as error:
            lost.append(error)

    threads = [threading.Thread(target=go, args=(version,)) for version in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 1), lost
    assert live_version(spark, "gated_race") == won[0] == mirrored("gated_race")


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["swap", "publish"])
def test_a_promotion_that_was_killed_is_finished_by_the_next(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    model = f"gated_killed_{step}"
    register(model, "plain", "better")
    promote_by_force(spark, model, 1, reason="first")
    old, declared = scores(spark, model), gate(model)
    assert decide(spark, declared, relation=TABLE).passed

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    def killed(action: Callable[[], Any]) -> None:
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(promote, step, kill)
            action()

    killed(lambda: promote_by_gate(spark, model, 2, declared))
    assert (live_version(spark, model), mirrored(model)) == (1 if step == "swap" else 2, 1)
    promote_by_gate(spark, model, 2, declared)
    assert (live_version(spark, model), mirrored(model)) == (2, 2)
    killed(lambda: roll_back(spark, model))
    assert roll_back(spark, model).version == 1, "once, although it was asked for twice"
    assert (live_version(spark, model), mirrored(model)) == (1, 1)
    assert scores(spark, model) == old


def test_rollbacks_lead_ever_farther_back(spark: SparkSession) -> None:
    register("gated_back", "plain", "better", "blind")
    with pytest.raises(InvalidRequestError, match="no version is live"):
        roll_back(spark, "gated_back")
    for version in (1, 2, 3):
        promote_by_force(spark, "gated_back", version, reason="tried")
    assert [roll_back(spark, "gated_back").version for _ in range(2)] == [2, 1]
    promote_by_force(spark, "gated_back", 3, reason="again")
    promote_by_force(spark, "gated_back", 1, reason="once more")
    assert [roll_back(spark, "gated_back").version for _ in range(2)] == [3, 1]


def test_what_cannot_be_decided_is_told(spark: SparkSession) -> None:
    register("gated_wrong", "plain", "better")
    promote_by_force(spark, "gated_wrong", 1, reason="first")
    spark.sql(f"CREATE OR REPLACE VIEW default.gate_view AS SELECT * FROM {TABLE}")
    other = gated.rows()
    others = {
        "label": other.assign(label="yes"),
        "input": other.drop(columns="x_night"),
        "type": other.assign(x_day="much"),
        "unfit": other.assign(label=other.label + 1),
        "early": other[:1000],
    }
    for name, frame in others.items():
        gated.write(spark, frame, f"default.gate_rows_{name}")
    refused: list[tuple[type[PenstockError], str, dict[str, Any], dict[str, Any]]] = [
        (InvalidRequestError, "version 1 is live already", {"challenger": 1}, {}),
        (UnknownNameError, "has no version 9", {"challenger": 9}, {}),
        (InvalidRequestError, "one version of a Delta table", {"relation": "default.gate_view"}, {}),
        (UnknownNameError, "unknown column 'segmnt'\n.*\n  did you mean: segment", {}, {"slices": ["segmnt"]}),
        (InvalidDefinitionError, "'label' is STRING", {"relation": "default.gate_rows_label"}, {}),
        (UnknownNameError, "unknown column 'x_night'", {"relation": "default.gate_rows_input"}, {}),
        (InvalidDefinitionError, "'x_day' is STRING, and the version", {"relation": "default.gate_rows_type"}, {}),
        (InvalidRequestError, "neither 0 nor 1", {"relation": "default.gate_rows_unfit"}, {}),
        (InvalidRequestError, "no row with a final label of 2026-", {"relation": "default.gate_rows_early"}, {}),
    ]
    for kind, said, asked, declared in refused:
        with pytest.raises(kind, match=said) as error:
            decide(spark, gate("gated_wrong", **declared), **({"relation": TABLE} | asked))
        assert error.value.fix or error.value.near, said
    with pytest.raises(UnknownNameError, match="unknown model 'gated_wrnog'"):
        decide(spark, gate("gated_wrnog"), relation=TABLE)
