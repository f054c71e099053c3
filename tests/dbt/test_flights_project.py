"""The demo project as dbt parses it: contracts, knowledge times, metrics that MetricFlow can plan. No JVM starts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

MODELS = {
    "dim_airports", "dim_carriers", "dim_planes", "dim_routes", "fct_flights", "fct_weather",
    "time_spine_daily", "time_spine_hourly", "departures_to_predict",
}  # fmt: skip

FLIGHT_METRICS = {
    "flights": "scheduled_departure_at",
    "settled_flights": "departure_known_at",
    "cancelled_flights": "departure_known_at",
    "avg_departure_delay": "departure_known_at",
    "landed_flights": "arrival_known_at",
    "on_time_flights": "arrival_known_at",
    "avg_arrival_delay": "arrival_known_at",
}


def run_dbt(*arguments: str, project: Path, scratch: Path) -> None:
    """Run dbt in a process of its own, with every file that it writes under `scratch`."""
    profiles = scratch / "profiles"
    profiles.mkdir(exist_ok=True)
    shutil.copy(ROOT / "profiles.example.yml", profiles / "profiles.yml")
    command = [
        str(Path(sys.executable).with_name("dbt")), "--quiet", *arguments,
        "--project-dir", str(project), "--profiles-dir", str(profiles),
        "--target-path", str(scratch / "target"), "--log-path", str(scratch / "logs"),
    ]  # fmt: skip
    if arguments[0] == "deps":
        command = command[: command.index("--target-path")] + command[-2:]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The target folder of one `dbt parse` of the project."""
    scratch = tmp_path_factory.mktemp("parse")
    run_dbt("parse", project=ROOT, scratch=scratch)
    return scratch / "target"


@pytest.fixture(scope="module")
def manifest(target: Path) -> dict[str, Any]:
    return json.loads((target / "manifest.json").read_text())


def test_public_models_have_contracts_with_types_and_descriptions(manifest: dict[str, Any]) -> None:
    models = {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}
    assert set(models) >= MODELS
    for name in MODELS:
        assert models[name]["config"]["contract"]["enforced"], name
        assert models[name]["description"], name
        for column in models[name]["columns"].values():
            assert column["data_type"], (name, column["name"])
            assert column["description"], (name, column["name"])


def test_every_source_says_when_its_rows_become_known(manifest: dict[str, Any]) -> None:
    assert len(manifest["sources"]) == 5
    for source in manifest["sources"].values():
        assert source["config"]["meta"]["penstock"].keys() & {"known_at", "delay"}, source["name"]
        assert source["loaded_at_field"] == "_loaded_at"


def test_knowledge_times_reach_both_manifests(manifest: dict[str, Any], target: Path) -> None:
    semantic = json.loads((target / "semantic_manifest.json").read_text())
    known = {
        "flights": {"known_at": "arrival_known_at"},
        "weather": {"delay": "1 hour"},
        **{name: {"known_at": "always"} for name in ("airports", "carriers", "planes", "routes")},
    }
    in_dbt = {m["name"]: m["config"]["meta"]["penstock"] for m in manifest["semantic_models"].values()}
    in_metricflow = {m["name"]: m["config"]["meta"]["penstock"] for m in semantic["semantic_models"]}
    assert {name: in_dbt[name] for name in known} == {name: in_metricflow[name] for name in known} == known

    columns = manifest["nodes"]["model.penstock.fct_flights"]["columns"]
    in_dbt = {m["name"]: m["config"]["meta"] for m in manifest["metrics"].values()}
    in_metricflow = {m["name"]: m["config"]["meta"] for m in semantic["metrics"]}
    for metric, column in FLIGHT_METRICS.items():
        assert in_dbt[metric] == in_metricflow[metric] == {"penstock": {"known_at": column}}
        assert column in columns


@pytest.mark.parametrize(
    ("metrics", "group_by"),
    [
        (["on_time_rate"], ["carrier"]),
        (["on_time_rate", "avg_arrival_delay", "cancelled_rate"], ["carrier__carrier_name", "metric_time__month"]),
        (["on_time_rate"], ["origin__airport_name", "destination__airport_name", "destination__time_zone"]),
        (["avg_departure_delay"], ["plane__manufacturer", "plane__engine_type"]),
        (["flights"], ["route", "route__haul", "flight__departure_weekday", "flight__departure_date__month"]),
        (["flights_trailing_7_days"], ["metric_time__day"]),
        (["flights_mom_growth"], ["metric_time__month"]),
        (["avg_temperature", "total_precipitation", "min_visibility"], ["origin", "metric_time__hour"]),
        (["on_time_rate", "avg_wind_speed"], ["origin__airport_name", "metric_time__day"]),
    ],
)
def test_metricflow_plans_the_metrics(target: Path, metrics: list[str], group_by: list[str]) -> None:
    from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.databricks import DatabricksSqlPlanRenderer
    from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    class NoWarehouse:
        sql_engine_type = SqlEngine.DATABRICKS
        sql_plan_renderer = DatabricksSqlPlanRenderer()

    text = (target / "semantic_manifest.json").read_text()
    lookup = SemanticManifestLookup(parse_manifest_from_dbt_generated_manifest(text))
    engine = MetricFlowEngine(lookup, NoWarehouse())
    request = MetricFlowQueryRequest.create(metric_names=metrics, group_by_names=group_by)
    sql = engine.explain(request).sql_statement.sql
    assert all(re.search(rf"\b{name}\b", sql) for name in metrics)


def test_installing_the_package_does_not_build_the_demo(tmp_path: Path) -> None:
    package = tmp_path / "package"
    ours = ("dbt_project.yml", "vars.yml", "models", "macros", "seeds", "udfs", "tests/data")
    for name in ours:
        source, copy = ROOT / name, package / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    consumer = tmp_path / "consumer"
    (consumer / "models").mkdir(parents=True)
    (consumer / "dbt_project.yml").write_text("name: consumer\nversion: 0.1.0\nprofile: penstock\n")
    (consumer / "packages.yml").write_text(f"packages:\n  - local: {package}\n")
    (consumer / "models" / "one.sql").write_text("select 1 as id")

    run_dbt("deps", project=consumer, scratch=tmp_path)
    run_dbt("parse", project=consumer, scratch=tmp_path)

    manifest = json.loads((tmp_path / "target" / "manifest.json").read_text())
    assert list(manifest["nodes"]) == ["model.consumer.one"]
    for kind in ("sources", "metrics", "semantic_models", "functions", "unit_tests", "saved_queries", "exposures"):
        assert not manifest[kind], kind
    assert "macro.penstock.delta_changes" in manifest["macros"]
