"""A small shop for the tests: its semantic manifest as dbt writes it, and its rows as DuckDB SQL.

Orders have unknown customers and NULL keys, refunds lie on other days than orders, prices are an SCD-2 table, and
balances are semi-additive: what goes wrong first goes wrong here.
"""

from __future__ import annotations

from typing import Any

import duckdb

TABLES = """
CREATE SCHEMA shop;
CREATE TABLE shop.days AS
  SELECT day, CASE WHEN day < DATE '2024-01-01' THEN 'P1' WHEN day < DATE '2024-02-10' THEN 'P2' ELSE 'P3' END AS season
  FROM (SELECT CAST(unnest(generate_series(DATE '2023-12-01', DATE '2024-03-31', INTERVAL 1 DAY)) AS TIMESTAMP) AS day);
CREATE TABLE shop.regions AS FROM (VALUES (1, 'north'), (2, 'south'), (3, NULL)) t(region_id, region_name);
CREATE TABLE shop.customers AS FROM (VALUES
  (10, 'ann', TRUE, 1, TIMESTAMP '2023-12-05'), (11, 'bob', FALSE, 2, TIMESTAMP '2023-12-20'),
  (12, 'cem', NULL, 3, TIMESTAMP '2024-01-02'), (13, NULL, TRUE, NULL, TIMESTAMP '2024-02-01')
) t(customer_id, name, is_member, region_id, joined_at);
CREATE TABLE shop.prices AS FROM (VALUES
  (7, 'cheap', TIMESTAMP '2023-01-01', TIMESTAMP '2024-01-10'), (7, 'dear', TIMESTAMP '2024-01-10', NULL),
  (8, 'cheap', TIMESTAMP '2024-01-05', NULL)
) t(product_id, band, valid_from, valid_to);
CREATE TABLE shop.orders AS FROM (VALUES
  (1, 10, 7, TIMESTAMP '2024-01-01 10:00:00', TIMESTAMP '2024-01-02', 5, 2.5, TRUE),
  (2, 10, 8, TIMESTAMP '2024-01-01 12:00:00', TIMESTAMP '2024-01-04', 3, 7.5, FALSE),
  (3, 11, 7, TIMESTAMP '2024-01-03 09:00:00', TIMESTAMP '2024-01-03', 1, 1.25, TRUE),
  (4, 99, 7, TIMESTAMP '2024-01-10 09:00:00', NULL, NULL, 4.0, NULL),
  (5, NULL, 8, TIMESTAMP '2024-01-15 00:00:00', TIMESTAMP '2024-01-15', 2, NULL, FALSE),
  (6, 12, NULL, TIMESTAMP '2024-01-31 23:59:00', TIMESTAMP '2024-02-02', 8, 3.5, TRUE),
  (7, 13, 7, TIMESTAMP '2024-02-29 01:00:00', TIMESTAMP '2024-03-01', 4, 6.0, TRUE),
  (8, 10, 8, TIMESTAMP '2024-03-01 01:00:00', TIMESTAMP '2024-03-01', 0, 0.0, FALSE)
) t(order_id, customer_id, product_id, ordered_at, paid_at, quantity, amount, is_gift);
CREATE TABLE shop.refunds AS FROM (VALUES
  (1, 10, TIMESTAMP '2024-01-02', 2.0), (2, 12, TIMESTAMP '2024-02-03', 1.0), (3, NULL, TIMESTAMP '2024-02-20', 5.0)
) t(refund_id, customer_id, refunded_at, amount);
CREATE TABLE shop.visits AS FROM (VALUES
  (10, TIMESTAMP '2024-01-01', 'ad'), (10, TIMESTAMP '2023-12-30', 'mail'), (11, TIMESTAMP '2024-01-01', 'ad'),
  (12, TIMESTAMP '2024-01-05', 'ad'), (13, TIMESTAMP '2024-02-28', NULL), (10, TIMESTAMP '2024-02-28', 'mail')
) t(customer_id, visited_at, channel);
CREATE TABLE shop.balances AS FROM (VALUES
  (10, TIMESTAMP '2024-01-01', 100), (10, TIMESTAMP '2024-01-31', 50), (11, TIMESTAMP '2024-01-15', 20),
  (11, TIMESTAMP '2024-02-10', 30), (12, TIMESTAMP '2024-02-10', 7)
) t(customer_id, taken_at, balance);
"""


def connection() -> duckdb.DuckDBPyConnection:
    """A database of its own with the shop's tables."""
    con = duckdb.connect()
    con.execute(TABLES)
    return con


def _relation(name: str) -> dict[str, Any]:
    return {"alias": name, "schema_name": "shop", "database": None, "relation_name": f"shop.{name}"}


def _time(name: str, expr: str | None = None, grain: str = "day", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "time", "expr": expr, "type_params": {"time_granularity": grain, **more}}


def _category(name: str, expr: str | None = None) -> dict[str, Any]:
    return {"name": name, "type": "categorical", "expr": expr, "type_params": None}


def _entity(name: str, kind: str, expr: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "expr": expr}


def _model(name: str, table: str, entities: Any, dimensions: Any, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "node_relation": _relation(table),
        "entities": entities,
        "dimensions": dimensions,
        "measures": [],
        "description": None,
        **more,
    }


def _filter(*templates: str) -> dict[str, Any]:
    return {"where_filters": [{"where_sql_template": t} for t in templates]}


def _metric(name: str, kind: str, params: dict[str, Any], *filters: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": None,
        "type": kind,
        "type_params": params,
        "filter": _filter(*filters) if filters else None,
        "label": None,
        **more,
    }


def _simple(name: str, model: str, agg: str, expr: str, *filters: str, **more: Any) -> dict[str, Any]:
    aggregation = {"semantic_model": model, "agg": agg, **more.pop("aggregation", {})}
    meta = {"config": {"meta": more.pop("meta")}} if "meta" in more else {}
    return _metric(name, "simple", {"metric_aggregation_params": aggregation, "expr": expr, **more}, *filters, **meta)


def _used(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


# what needs a time to group by
LOOKING_BACK = {"revenue_mom", "revenue_since_month_start", "buyers_yesterday", "revenue_last_season"}

MANIFEST: dict[str, Any] = {
    "semantic_models": [
        _model(
            "orders",
            "orders",
            [
                _entity("order", "primary", "order_id"),
                _entity("customer", "foreign", "customer_id"),
                _entity("product", "foreign", "product_id"),
            ],
            [_time("ordered_at"), _time("paid_at"), _category("is_gift"), _category("quantity")],
            defaults={"agg_time_dimension": "ordered_at"},
            config={"meta": {"penstock": {"known_at": "paid_at"}}},
            measures=[
                {"name": "order_count", "agg": "count", "expr": "order_id", "create_metric": True},
                {"name": "gift_count", "agg": "sum_boolean", "expr": "is_gift"},
            ],
        ),
        _model(
            "refunds",
            "refunds",
            [_entity("refund", "primary", "refund_id"), _entity("customer", "foreign", "customer_id")],
            [_time("refunded_at")],
            defaults={"agg_time_dimension": "refunded_at"},
            config={"meta": {"penstock": {"delay": "2 days"}}},
        ),
        _model(
            "visits",
            "visits",
            [_entity("customer", "foreign", "customer_id")],
            [_time("visited_at"), _category("channel")],
            defaults={"agg_time_dimension": "visited_at"},
            config={"meta": {"penstock": {"known_at": "always"}}},
            primary_entity="visit",
        ),
        _model(
            "balances",
            "balances",
            [_entity("customer", "foreign", "customer_id")],
            [_time("taken_at")],
            defaults={"agg_time_dimension": "taken_at"},
            primary_entity="balance_row",
        ),
        _model(
            "customers",
            "customers",
            [_entity("customer", "primary", "customer_id"), _entity("region", "foreign", "region_id")],
            [_category("name"), _category("is_member"), _time("joined_at")],
        ),
        _model("regions", "regions", [_entity("region", "primary", "region_id")], [_category("region_name")]),
        _model(
            "prices",
            "prices",
            [_entity("product", "natural", "product_id")],
            [
                _time("valid_from", validity_params={"is_start": True, "is_end": False}),
                _time("valid_to", validity_params={"is_start": False, "is_end": True}),
                _category("band"),
            ],
            primary_entity="price",
        ),
    ],
    "metrics": [
        _metric("gifts", "simple", {"measure": _used("gift_count", fill_nulls_with=0, join_to_timespine=True)}),
        _simple("revenue", "orders", "sum", "amount"),
        _simple("gift_revenue", "orders", "sum", "amount", "{{ Dimension('order__is_gift') }}"),
        _simple("member_revenue", "orders", "sum", "amount", "{{ Dimension('customer__is_member') }} = true"),
        _simple("paid_revenue", "orders", "sum", "amount", aggregation={"agg_time_dimension": "paid_at"}),
        _simple("buyers", "orders", "count_distinct", "customer_id", meta={"penstock": {"known_at": "ordered_at"}}),
        _simple("gift_buyers", "orders", "count_distinct", "customer_id", "{{ Dimension('order__is_gift') }}"),
        _simple("avg_quantity", "orders", "average", "quantity"),
        _simple("most_quantity", "orders", "max", "quantity"),
        _simple("median_amount", "orders", "median", "amount", aggregation={"agg_params": None}),
        _simple(
            "quantity_p90",
            "orders",
            "percentile",
            "quantity",
            aggregation={"agg_params": {"percentile": 0.9, "use_discrete_percentile": True}},
        ),
        _simple("refunded", "refunds", "sum", "amount"),
        _simple("refunded_or_0", "refunds", "sum", "amount", fill_nulls_with=0),
        _simple("visits", "visits", "count", "1"),
        _simple(
            "last_balance",
            "balances",
            "sum",
            "balance",
            aggregation={
                "non_additive_dimension": {"name": "taken_at", "window_choice": "max", "window_groupings": ["customer"]}
            },
        ),
        _metric("revenue_per_buyer", "ratio", {"numerator": _used("revenue"), "denominator": _used("buyers")}),
        _metric(
            "gift_share",
            "ratio",
            {
                "numerator": _used("revenue", filter=_filter("{{ Dimension('order__is_gift') }}"), alias="gifted"),
                "denominator": _used("revenue"),
            },
        ),
        _metric("refund_rate", "ratio", {"numerator": _used("refunded"), "denominator": _used("revenue")}),
        _metric(
            "net_revenue",
            "derived",
            {"expr": "revenue - refunded_or_0", "metrics": [_used("revenue"), _used("refunded_or_0")]},
        ),
        _metric("net_twice", "derived", {"expr": "COALESCE(net_revenue, 0) * 2", "metrics": [_used("net_revenue")]}),
        _metric(
            "revenue_mom",
            "derived",
            {
                "expr": "(revenue - before) / before",
                "metrics": [
                    _used("revenue"),
                    _used("revenue", alias="before", offset_window={"count": 1, "granularity": "months"}),
                ],
            },
        ),
        _metric(
            "revenue_since_month_start",
            "derived",
            {
                "expr": "revenue - at_start",
                "metrics": [_used("revenue"), _used("revenue", alias="at_start", offset_to_grain="month")],
            },
        ),
        _metric(
            "buyers_yesterday",
            "derived",
            {"expr": "buyers", "metrics": [_used("buyers", offset_window={"count": 1, "granularity": "day"})]},
        ),
        _metric(
            "revenue_last_season",
            "derived",
            {"expr": "revenue", "metrics": [_used("revenue", offset_window={"count": 1, "granularity": "season"})]},
        ),
        _metric("revenue_to_date", "cumulative", {"cumulative_type_params": {"metric": _used("revenue")}}),
        _metric(
            "revenue_7_days",
            "cumulative",
            {
                "cumulative_type_params": {
                    "metric": _used("revenue"),
                    "window": {"count": 7, "granularity": "days"},
                    "period_agg": "last",
                }
            },
        ),
        _metric(
            "revenue_month_to_date",
            "cumulative",
            {"cumulative_type_params": {"metric": _used("revenue"), "grain_to_date": "month", "period_agg": "average"}},
        ),
        _metric(
            "buyers_30_days",
            "cumulative",
            {"cumulative_type_params": {"metric": _used("buyers"), "window": {"count": 30, "granularity": "day"}}},
        ),
        _metric(
            "gifts_7_days",
            "cumulative",
            {"measure": _used("gift_count"), "window": {"count": 7, "granularity": "days"}},
        ),
        _metric(
            "visit_to_order",
            "conversion",
            {
                "conversion_type_params": {
                    "base_metric": _used("visits"),
                    "conversion_metric": _used("order_count"),
                    "entity": "customer",
                    "calculation": "conversion_rate",
                    "window": {"count": 7, "granularity": "days"},
                }
            },
        ),
        _simple(
            "big_spender_orders",
            "orders",
            "count",
            "order_id",
            "{{ Metric('revenue', group_by=['customer']) }} > 5",
        ),
    ],
    "project_configuration": {
        "time_spine_table_configurations": [],
        "time_spines": [
            {
                "node_relation": _relation("days"),
                "primary_column": {"name": "day", "time_granularity": "day"},
                "custom_granularities": [{"name": "season", "column_name": None}],
            }
        ],
        "dsi_package_version": {"major_version": "0", "minor_version": "213", "patch_version": "0"},
    },
    "saved_queries": [
        {
            "name": "monthly",
            "query_params": {
                "metrics": ["revenue", "refunded"],
                "group_by": ["TimeDimension('metric_time', 'month')", "Dimension('customer__is_member')"],
                "where": _filter("{{ TimeDimension('metric_time', 'day') }} >= '2024-01-01'"),
                "order_by": ["TimeDimension('metric_time', 'month').descending(True)", "-revenue"],
                "limit": 3,
            },
            "description": None,
            "exports": [],
        }
    ],
}
