"""Metric views as dbt builds them: a small project whose one model changes, and the view of the demo project."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from penstock.cli import command_line
from penstock.semantic import MetricRequest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from penstock.project import Project

ROOT = Path(__file__).parents[2]
SCHEMA = "metric_view_models"

ROWS = "(1, 10), (1, 20), (2, 5)"
PROJECT = """
name: penstock
version: 0.1.0
profile: penstock
flags: {partial_parse: false, send_anonymous_usage_stats: false}
models:
  +persist_docs: {relation: true, columns: true}
"""
YAML = """
version: "0.1"
source: metric_view_models.raw
dimensions:
  - {name: order, expr: id}
measures:
  - {name: total, expr: SUM(price)}
"""
MODEL_YML = r"""
models:
  - name: prices
    description: "What's sold,\n by order."
    columns:
      - {name: total, description: "All that\\ was paid"}
"""


class Model:
    """The one model of a dbt project in a folder, built in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "macros", folder / "macros")
        (folder / "models").mkdir()
        profile = (ROOT / "profiles.example.yml").read_text().replace("schema: penstock", f"schema: {SCHEMA}")
        (folder / "profiles.yml").write_text(profile)
        (folder / "dbt_project.yml").write_text(PROJECT)
        (folder / "models" / "prices.yml").write_text(MODEL_YML)

    def dbt(self, command: str) -> Any:
        from dbt.cli.main import dbtRunner

        place = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        return dbtRunner().invoke(["--quiet", *command.split(), *place])

    def run(self, body: str, **config: Any) -> Any:
        settings = ", ".join(f"{name}={value!r}" for name, value in config.items())
        (self.folder / "models" / "prices.sql").write_text(f"{{{{ config({settings}) }}}}\n{body}")
        return self.dbt("run")

    def build(self, body: str = YAML, **config: Any) -> None:
        done = self.run(body, **({"materialized": "metric_view"} | config))
        assert done.success, done.exception or [r.message for r in done.result.results]

    def fails(self, body: str = YAML, **config: Any) -> str:
        done = self.run(body, **({"materialized": "metric_view"} | config))
        assert not done.success
        return str(done.exception or [r.message for r in done.result.results])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def session(model: Model) -> SparkSession:
    """The session that dbt made or found, with the model as each test finds and leaves it."""
    from penstock.profile import load_target
    from penstock.sessions import start_spark

    session = start_spark(load_target(model.folder).settings, [])
    session.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    raw(session, ROWS)
    model.build()
    return session


def raw(session: SparkSession, values: str) -> None:
    session.sql(f"CREATE OR REPLACE TABLE {SCHEMA}.raw USING DELTA AS SELECT * FROM VALUES {values} AS t (id, price)")


def totals(session: SparkSession, measure: str = "total") -> dict[Any, Any]:
    return dict(session.sql(f"SELECT `order`, MEASURE({measure}) FROM {SCHEMA}.prices GROUP BY `order`").collect())


def test_descriptions_are_comments(session: SparkSession) -> None:
    described = session.newSession().sql(f"DESCRIBE TABLE EXTENDED {SCHEMA}.prices").collect()
    comments = {row["col_name"]: row["comment"] for row in described}
    assert comments["order"] is None
    assert comments["total"] == "All that\\ was paid"
    about = {row["col_name"]: row["data_type"] for row in described}
    assert about["Type"] == "METRIC_VIEW"
    assert about["Comment"] == "What's sold, by order."


def test_a_build_replaces_the_view(model: Model, session: SparkSession) -> None:
    assert totals(session) == {1: 30, 2: 5}
    model.build(YAML.replace("SUM(price)", "MAX(price)").replace("total", "most"))
    assert totals(session, "most") == {1: 20, 2: 5}
    # Spark keeps the types of a view's columns, and reads no others
    raw(session, "('one', 1.5D)")
    model.build()
    assert totals(session) == {"one": 1.5}

    raw(session, ROWS)
    model.build()


@pytest.mark.parametrize(
    ("body", "config", "says"),
    [
        (YAML.replace("SUM(price)", "SUM(cost)"), {}, "cost"),
        (YAML.replace("dimensions", "dimension"), {}, "dimension"),
        ("select 1 as a", {}, "The body of a metric view is YAML"),
        (YAML, {"contract": {"enforced": True}}, "A metric view has no contract"),
        ("{{ penstock.metric_view('prices') }}", {}, "unknown semantic model 'prices'"),
    ],
)
def test_a_wrong_definition_leaves_the_view(
    model: Model, session: SparkSession, body: str, config: dict[str, Any], says: str
) -> None:
    assert says in model.fails(body, **config)
    assert totals(session) == {1: 30, 2: 5}
    # A temporary view is of the session, which other tests use too.
    tables = session.sql(f"SHOW TABLES IN {SCHEMA}").collect()
    assert {row["tableName"] for row in tables if not row["isTemporary"]} == {"raw", "prices"}


@pytest.mark.parametrize("other", ["view", "table"])
def test_a_model_may_become_a_metric_view_and_cease_to_be_one(model: Model, session: SparkSession, other: str) -> None:
    model.build("select 7 as id", materialized=other, file_format="delta")
    assert session.table(f"{SCHEMA}.prices").collect() == [(7,)]
    model.build()
    assert totals(session) == {1: 30, 2: 5}


@pytest.mark.usefixtures("session")
def test_the_docs_have_its_columns(model: Model) -> None:
    assert model.dbt("docs generate").success
    catalog = json.loads((model.folder / "target" / "catalog.json").read_text())
    assert set(catalog["nodes"]["model.penstock.prices"]["columns"]) == {"order", "total"}


GROUPS: list[tuple[str, ...]] = [
    (),
    ("carrier",),
    ("carrier__carrier_name", "metric_time__month"),
    ("origin__airport_name", "route__haul", "flight__is_late"),
    ("plane__engine_type", "destination__time_zone"),
]


@pytest.mark.parametrize("group_by", GROUPS, ids="+".join)
def test_measures_of_flights_equal_their_metrics(flights: Project, group_by: tuple[str, ...]) -> None:
    metrics = tuple(m.name for m in flights.metric_views()["flights"] if "flights_metrics" in m.views)
    assert len(metrics) == 9
    columns = ", ".join((*group_by, *(f"MEASURE({name}) AS {name}" for name in metrics)))
    found = flights.sql(f"SELECT {columns} FROM flights_metrics GROUP BY ALL").to_pylist()
    expected = flights.query(MetricRequest(metrics=metrics, group_by=group_by)).to_pylist()

    def by_key(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        return {tuple(row[name] for name in group_by): tuple(row[name] for name in metrics) for row in rows}

    assert by_key(found).keys() == by_key(expected).keys()
    for key, values in by_key(found).items():
        for value, other in zip(values, by_key(expected)[key], strict=True):
            assert value == other or math.isclose(value, other, rel_tol=1e-9), key


def test_the_demo_tells_what_is_expressed(flights: Project) -> None:
    views = flights.metric_views()
    assert {m.name: m.views for m in views["flights"] if m.reason is None}["on_time_rate"] == ("flights_metrics",)
    assert {m.name for m in views["flights"] if m.reason} == {"flights_trailing_7_days", "flights_mom_growth"}
    assert all(m.reason is None and not m.views for m in views["weather"])
    printed = CliRunner().invoke(command_line(), ["metric-views"], catch_exceptions=False).output
    assert "it is cumulative" in printed
    assert "flights_metrics" in printed


def test_the_view_depends_on_what_it_is_made_of(flights: Project) -> None:
    needed = flights.dbt_manifest["nodes"]["model.penstock.flights_metrics"]["depends_on"]["nodes"]
    assert {"model.penstock.fct_flights", "model.penstock.dim_routes", "metric.penstock.on_time_rate"} <= set(needed)
    assert "metric.penstock.flights_mom_growth" not in needed
