"""A model that dbt builds, and what it scores, in the table of what scoring took."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.project import Project


def test_a_build_counts_for_its_node(flights: Project) -> None:
    asked = "SELECT node, SUM(statements) AS n FROM ml.usage WHERE model = 'arrival_delay' AND node <> '' GROUP BY node"
    found = {row["node"]: row["n"] for row in flights.sql(asked).to_pylist()}
    assert found["model.penstock.flight_predictions"] >= 1
