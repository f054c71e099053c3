"""A year of real flights, replayed by week, with labels that come up to ten days late: what the loop makes of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_project import LocalProject
from tests.year.challengers import MODEL, register

if TYPE_CHECKING:
    from penstock.monitoring.gates.decide import Decision
    from penstock.project import Project as Penstock

REPLAYED = Path(__file__).parent / "replayed"
SCHEMA = "replayed_year"
FIRST, LAST = date(2013, 3, 26), date(2014, 1, 14)
EACH_WEEK = ("departures", "predictions", "feedback", "labels", "flown", "tiles", "trained_tiles", "drift")
TWICE, BAD = 3, 8  # the weeks in which each step runs twice, the loop's too, and a bad version is promoted by force


@dataclass
class Year:
    """The project, and what happened in it.

    Attributes:
        project: The project.
        runs: What became of each loop that was due, by the week.
        told: What else was seen on the way.
    """

    project: LocalProject
    runs: dict[date, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def penstock(self) -> Penstock:
        """The project as it is now."""
        from penstock.project import Project

        return Project(self.project.folder)

    def week(self, until: date) -> None:
        """What came in the week before a day, and the loop."""
        os.environ["REPLAYED_UNTIL"] = str(until)
        self.project.build(*EACH_WEEK)
        run = self.penstock.loops.run(MODEL)
        if run.loop_id:
            self.runs[until] = run

    def contents(self) -> dict[str, tuple[int, int]]:
        """Of each table of the flow how many rows it has, and a checksum of them.

        `ml.usage` is none: a row that is scored again is counted again.
        """
        spark, found = self.project.spark, {}
        for schema in (SCHEMA, "ml"):
            for (name,) in spark.sql(f"SHOW TABLES IN {schema}").where("NOT isTemporary").select("tableName").collect():
                if name == "usage":
                    continue
                sums = f"SELECT COUNT(*), SUM(CAST(XXHASH64(TO_JSON(STRUCT(*))) AS DECIMAL(38))) FROM {schema}.{name}"
                found[f"{schema}.{name}"] = tuple(spark.sql(sums).collect()[0])
        return found

    def scores(self) -> list[float]:
        """What the live version gives for the flights of the training set."""
        statement = f"SELECT predict('{MODEL}', r.*) AS p FROM {SCHEMA}.arrived AS r ORDER BY flight_id"
        return [row["p"] for row in self.project.sql(statement)]

    def challenge(self, kind: Any) -> Decision:
        """Register a version of a kind, and decide on it."""
        version = register(self.project.spark.table(f"{SCHEMA}.arrived").toPandas(), kind)
        assert self.project.dbt("test", "--select", "flights_are_told_apart").success
        return self.penstock.gates.decide(MODEL, version)

    def begin(self) -> None:
        """One of the timetable alone is live, one that is wrong of a carrier is refused, and the loop trains one."""
        os.environ["REPLAYED_UNTIL"] = str(FIRST)
        self.project.build("+arrived")
        self.told["first"] = self.challenge("schedule")
        self.penstock.gates.promote(MODEL, 1)
        self.told["wrong of a carrier"] = self.challenge("wrong of a carrier")
        self.runs[FIRST] = self.penstock.loops.run(MODEL, now=True)
        self.project.build("edges", "flown")

    def promote_a_bad_one(self) -> None:
        """One of shuffled labels is refused, promoted by force, and rolled back."""
        self.told["before"] = self.scores()
        self.told["shuffled"] = refused = self.challenge("shuffled")
        version = int(refused.row["challenger"])
        with pytest.raises(Exception) as not_moved:
            self.penstock.gates.promote(MODEL, version)
        self.told["not moved"] = not_moved.value
        self.penstock.gates.force(MODEL, version, reason="to see what happens")
        self.told["bad"] = self.scores()
        self.penstock.gates.roll_back(MODEL, reason="complaints")
        self.told["after"] = self.scores()


@pytest.fixture(scope="module")
def year(flights: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    """All of it, once."""
    files = {str(each.relative_to(REPLAYED)): each.read_text() for each in REPLAYED.rglob("*.*")}
    made = Year(LocalProject(tmp_path_factory.mktemp("year"), files, SCHEMA))
    made.project.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    weeks = [FIRST + timedelta(weeks=at) for at in range(1, (LAST - FIRST).days // 7 + 1)]
    with contextlib.chdir(made.project.folder):  # where a user is
        made.begin()
        for at, until in enumerate(weeks):
            made.week(until)
            if at == TWICE:
                before = made.contents()
                made.week(until)
                made.told["twice"] = before, made.contents()
            if at == BAD:
                made.promote_a_bad_one()
        yield made
    made.project.sql(f"DROP SCHEMA {SCHEMA} CASCADE")
    del os.environ["REPLAYED_UNTIL"]


def conditions(decision: Decision) -> dict[str, bool]:
    return {each.name: each.passed for each in decision.conditions}


def test_a_better_version_that_is_wrong_of_a_carrier_is_refused_for_that(year: Year) -> None:
    found = conditions(year.told["wrong of a carrier"])
    assert found.pop("no_slice_worse_than") is False
    assert found.pop("better_by")
    assert all(found.values())
    [worst] = [each for each in year.told["wrong of a carrier"].conditions if each.name == "no_slice_worse_than"]
    assert "carrier = VX" in worst.told


def test_a_version_that_knows_more_is_promoted(year: Year) -> None:
    assert (year.runs[FIRST].state, year.runs[FIRST].live) == ("promoted", 3)


def test_a_version_of_shuffled_labels_is_refused(year: Year) -> None:
    from penstock.monitoring.gates.promotion import GateRefuses

    assert not year.told["shuffled"].passed
    assert not conditions(year.told["shuffled"])["better_by"]
    assert isinstance(year.told["not moved"], GateRefuses)


def test_a_bad_version_is_rolled_back_bit_for_bit(year: Year) -> None:
    before, bad, after = (year.told[name] for name in ("before", "bad", "after"))
    assert before == after
    assert sum(one != other for one, other in zip(before, bad, strict=True)) > len(before) / 2


def test_a_week_that_runs_twice_changes_nothing(year: Year) -> None:
    before, after = year.told["twice"]
    assert FIRST + timedelta(weeks=TWICE + 1) in year.runs
    assert set(before) >= {f"{SCHEMA}.{name}" for name in ("labels", "flown", "tiles", "drift")}
    assert set(before) >= {"ml.predictions", "ml.feedback", "ml.gates", "ml.loops", "ml.model_aliases"}
    assert before == after


def test_the_loop_trains_when_labels_have_come_and_promotes_what_is_better(year: Year) -> None:
    loops = list(year.runs.values())[1:]
    assert {trigger.kind for run in loops for trigger in run.triggers if trigger.due} == {"labels"}
    assert {run.state for run in loops} == {"promoted", "refused"}
    gates = {row["gate_id"]: row for row in year.project.sql(f"SELECT * FROM ml.gates WHERE model = '{MODEL}'")}
    for run in loops:
        assert gates[run.gate_id]["verdict"] == ("passed" if run.state == "promoted" else "refused")
        assert gates[run.gate_id]["challenger"] == run.challenger
        assert run.state == "refused" or gates[run.gate_id]["gain_low"] > 0
    kept = year.project.sql(f"SELECT loop_id, state FROM ml.loops WHERE model = '{MODEL}'")
    assert sorted(map(tuple, kept)) == sorted((run.loop_id, run.state) for run in year.runs.values())


def test_each_flight_has_one_prediction_and_the_label_that_came(year: Year) -> None:
    first, last = FIRST, LAST - timedelta(weeks=2)  # labels come up to ten days late
    [(flights, predicted, labelled, same)] = year.project.sql(
        f"""SELECT COUNT(*), COUNT(p.prediction_id), COUNT(l.label), COUNT_IF(l.label = f.is_late)
        FROM (SELECT * FROM {SCHEMA}.departures WHERE predict_at >= '{first}' AND predict_at < '{last}') AS f
        LEFT JOIN ml.predictions AS p ON p.model = '{MODEL}' AND p.entity['flight_id'] = f.flight_id
        LEFT JOIN {SCHEMA}.labels AS l ON l.prediction_id = p.prediction_id"""
    )
    assert flights > 200_000
    assert flights == predicted == labelled == same


def test_what_the_loop_keeps_live_is_better_than_the_version_of_the_first_week(year: Year) -> None:
    import mlflow
    from sklearn.metrics import log_loss, roc_auc_score

    from penstock.registry import mlflow_store

    rows = year.project.spark.sql(
        f"""SELECT f.*, l.prediction, l.label FROM {SCHEMA}.labels AS l
        JOIN {SCHEMA}.departures AS f ON l.entity['flight_id'] = f.flight_id WHERE l.label IS NOT NULL"""
    ).toPandas()
    mlflow_store.client()  # says where MLflow is
    frozen = mlflow.sklearn.load_model(f"models:/{MODEL}/3")
    inputs = rows[frozen.feature_names_in_]
    inputs = inputs.astype({name: "float64" for name in inputs if inputs[name].dtype != object})
    score = frozen.predict_proba(inputs)[:, 1]
    assert roc_auc_score(rows["label"], rows["prediction"]) > roc_auc_score(rows["label"], score)
    assert log_loss(rows["label"], rows["prediction"]) < log_loss(rows["label"], score)


def test_the_ledger_has_what_each_promotion_promised(year: Year) -> None:
    moves = year.penstock.gates.ledger(MODEL).to_pylist()
    promoted = [run for run in year.runs.values() if run.state == "promoted"]
    told = [(each["version"], each["gate_id"]) for each in moves if each["gate_id"]][1:]  # the first had no gain
    assert told == [(run.live, run.gate_id) for run in promoted]
    assert all(each["promised_low"] > 0 for each in moves if each["gate_id"] in {run.gate_id for run in promoted})
