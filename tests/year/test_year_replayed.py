"""A year of real flights, replayed by week, with labels that come up to ten days late: what the loop makes of it."""

from __future__ import annotations

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
TWICE, BAD = 6, 8  # the weeks in which each step runs twice, and in which a bad version is promoted by force


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
        """Of each table of the flow how many rows it has, and a checksum of them."""
        spark, found = self.project.spark, {}
        for schema in (SCHEMA, "ml"):
            for (name,) in spark.sql(f"SHOW TABLES IN {schema}").where("NOT isTemporary").select("tableName").collect():
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
    made.begin()
    weeks = [FIRST + timedelta(weeks=at) for at in range(1, (LAST - FIRST).days // 7 + 1)]
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
