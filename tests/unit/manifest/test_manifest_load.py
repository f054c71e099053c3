"""dbt's semantic manifest becomes typed objects, whichever of its shapes it has."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.manifest.load import load_manifest
from penstock.manifest.model import Aggregation, SemanticManifest, Window


def _raw(*metrics: dict[str, Any], measures: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "semantic_models": [
            {
                "name": "Orders",
                "defaults": {"agg_time_dimension": "Ordered_At"},
                "node_relation": {"alias": "orders", "schema_name": "shop", "relation_name": "shop.orders"},
                "entities": [{"name": "Customer", "type": "foreign", "expr": "customer_id"}],
                "dimensions": [
                    {"name": "Ordered_At", "type": "time", "type_params": {"time_granularity": "day"}},
                    {"name": "state", "type": "categorical", "expr": None},
                ],
                "measures": measures or [],
            }
        ],
        "metrics": [{"filter": None, "label": None, "description": None, **m} for m in metrics],
        "project_configuration": {"time_spines": [], "time_spine_table_configurations": []},
        "saved_queries": [],
        **more,
    }


def _by_measure(name: str, kind: str = "simple", **params: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "type_params": params}


def _load(*metrics: dict[str, Any], **more: Any) -> SemanticManifest:
    return load_manifest(_raw(*metrics, **more))


TOTAL = {"name": "total", "agg": "sum", "expr": "amount"}


@pytest.mark.parametrize(
    ("measure", "agg", "expr", "percentile"),
    [
        ({"name": "m", "agg": "sum"}, "sum", "m", None),
        ({"name": "m", "agg": "sum_boolean", "expr": "paid"}, "sum", "CASE WHEN paid THEN 1 ELSE 0 END", None),
        ({"name": "m", "agg": "count", "expr": "1"}, "sum", "1", None),
        ({"name": "m", "agg": "count", "expr": "id"}, "sum", "CASE WHEN id IS NOT NULL THEN 1 ELSE 0 END", None),
        ({"name": "m", "agg": "median", "expr": "x"}, "percentile", "x", 0.5),
        ({"name": "m", "agg": "percentile", "expr": "x", "agg_params": {"percentile": 0.9}}, "percentile", "x", 0.9),
    ],
)
def test_every_aggregation_is_one_of_a_few(
    measure: dict[str, Any], agg: str, expr: str, percentile: float | None
) -> None:
    expected = Aggregation("orders", agg, expr, "ordered_at", percentile)
    old = _load(_by_measure("x", measure={"name": "m"}), measures=[measure])
    assert old.metrics["x"].aggregation == expected
    params = {k: v for k, v in measure.items() if k not in ("name", "expr")}
    new = _load(
        _by_measure("m", metric_aggregation_params={"semantic_model": "orders", **params}, expr=measure.get("expr"))
    )
    assert new.metrics["m"].aggregation == expected


def test_names_are_lower_case_and_expressions_never_none() -> None:
    model = _load().models["orders"]
    assert [e.name for e in model.entities] == ["customer"]
    assert [(d.name, d.expr, d.grain) for d in model.dimensions] == [
        ("ordered_at", "ordered_at", "day"),
        ("state", "state", None),
    ]
    assert model.time_dimension == "ordered_at"


def test_a_simple_metric_takes_over_what_its_measure_input_says() -> None:
    where = {"where_filters": [{"where_sql_template": "a"}]}
    metric = _by_measure(
        "x", measure={"name": "total", "filter": where, "fill_nulls_with": 0, "join_to_timespine": True}
    )
    metric["filter"] = {"where_filters": [{"where_sql_template": "b"}]}
    loaded = _load(metric, measures=[TOTAL]).metrics["x"]
    assert (loaded.filters, loaded.fill_nulls_with, loaded.join_to_timespine) == (("a", "b"), 0, True)


def test_a_measure_may_make_its_own_metric() -> None:
    manifest = _load(measures=[{**TOTAL, "create_metric": True}])
    assert manifest.metrics["total"].aggregation == Aggregation("orders", "sum", "amount", "ordered_at")
    assert not manifest.metrics["total"].private


def test_a_cumulative_metric_over_a_measure_uses_an_equal_metric() -> None:
    running = _by_measure(
        "running", "cumulative", measure={"name": "total"}, window={"count": 2, "granularity": "weeks"}
    )
    manifest = _load(_by_measure("amount", measure={"name": "total"}), running, measures=[TOTAL])
    cumulative = manifest.metrics["running"].cumulative
    assert cumulative is not None
    assert (cumulative.input.name, cumulative.window) == ("amount", Window(2, "week"))
    assert set(manifest.metrics) == {"amount", "running"}


def test_one_is_made_where_none_is_equal() -> None:
    filled = {
        "name": "total",
        "fill_nulls_with": 0,
        "join_to_timespine": True,
        "filter": {"where_filters": [{"where_sql_template": "a"}]},
    }
    running = _by_measure("running", "cumulative", measure=filled, cumulative_type_params={"grain_to_date": "MONTH"})
    manifest = _load(_by_measure("total", measure={"name": "total"}), running, measures=[TOTAL])
    cumulative = manifest.metrics["running"].cumulative
    assert cumulative is not None
    made = manifest.metrics["total_fill_nulls_with_0_join_to_timespine"]
    assert cumulative.input.name == made.name
    assert cumulative.input.filters == ("a",)
    assert cumulative.grain_to_date == "month"
    assert (made.private, made.filters, made.fill_nulls_with, made.join_to_timespine) == (True, (), 0, True)


@pytest.mark.parametrize(
    ("metrics", "measures", "error", "says"),
    [
        ([_by_measure("x", measure={"name": "totel"})], [TOTAL], UnknownNameError, "did you mean: total"),
        ([_by_measure("x")], [], InvalidDefinitionError, "neither what it aggregates"),
        ([], [{"name": "m", "agg": "count"}], InvalidDefinitionError, "expr: 1"),
        (
            [],
            [{"name": "m", "agg": "median", "agg_params": {"percentile": 0.9}}],
            InvalidDefinitionError,
            "another percentile",
        ),
        (
            [_by_measure("total", "derived", metrics=[])],
            [{**TOTAL, "create_metric": True}],
            InvalidDefinitionError,
            "rename",
        ),
        ([{"name": "x", "type": "magic", "type_params": {}}], [], InvalidDefinitionError, "magic"),
    ],
)
def test_contradictions_are_named(metrics: Any, measures: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        _load(*metrics, measures=measures)


def test_another_shape_is_refused_kindly() -> None:
    with pytest.raises(InvalidDefinitionError, match="dbt parse"):
        load_manifest({"metrics": [{"type": "simple"}]})


def test_the_legacy_time_spine_stands_in_for_its_grain_only() -> None:
    legacy = {"location": "db.shop.days", "column_name": "ds", "grain": "day"}
    spine = {
        "node_relation": {"alias": "hours", "schema_name": "shop", "relation_name": "shop.hours"},
        "primary_column": {"name": "ts", "time_granularity": "hour"},
        "custom_granularities": [{"name": "Shift", "column_name": "shift_no"}, {"name": "season", "column_name": None}],
    }
    both = _load(project_configuration={"time_spines": [spine], "time_spine_table_configurations": [legacy]})
    assert [(s.grain, s.column, s.relation.alias) for s in both.time_spines] == [
        ("hour", "ts", "hours"),
        ("day", "ds", "days"),
    ]
    assert both.time_spines[0].custom_grains == (("shift", "shift_no"), ("season", "season"))
    daily = copy.deepcopy(spine)
    daily["primary_column"]["time_granularity"] = "day"
    one = _load(project_configuration={"time_spines": [daily], "time_spine_table_configurations": [legacy]})
    assert len(one.time_spines) == 1
