"""TPC-H for the query cost: tables by tpchgen-cli at scale factor 1, and a semantic model over them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import duckdb

from benchmarks import manifests
from benchmarks.cases import Case
from benchmarks.manifests import (
    Part,
    category,
    cumulative,
    derived,
    entity,
    length,
    model,
    ratio,
    relation,
    simple,
    time,
)
from benchmarks.peers import environment

SCALE = 1
# eight years later than TPC-H has them: MetricFlow answers time constraints before 2000 with no rows
_MOVED = {
    "lineitem": " REPLACE (CAST(l_shipdate + INTERVAL 8 YEAR AS DATE) AS l_shipdate)",
    "orders": " REPLACE (CAST(o_orderdate + INTERVAL 8 YEAR AS DATE) AS o_orderdate)",
}
_REVENUE = "l_extendedprice * (1 - l_discount)"


def build(path: Path) -> None:
    """Write the database."""
    files = path.parent / f"tpch-{SCALE}"
    program = environment("tpch") / "tpchgen-cli"
    subprocess.run([program, "parquet", "-s", str(SCALE), "--output-dir", files], check=True)
    con = duckdb.connect(str(path))
    con.execute("CREATE SCHEMA lake")
    for file in sorted(files.glob("*.parquet")):
        moved = _MOVED.get(file.stem, "")
        con.execute(f"CREATE TABLE lake.{file.stem} AS SELECT *{moved} FROM '{file}'")
    con.execute(
        "CREATE TABLE lake.days AS SELECT CAST(unnest(generate_series(DATE '2000-01-01', DATE '2006-12-31', "
        "INTERVAL 1 DAY)) AS TIMESTAMP) AS day"
    )
    con.close()


def manifest() -> Part:
    """The semantic manifest of TPC-H."""
    models = [
        model(
            relation("lake", "lineitem"),
            [
                entity("line", "primary", "l_orderkey * 10 + l_linenumber"),
                entity("order", "foreign", "l_orderkey"),
                entity("supplier", "foreign", "l_suppkey"),
                entity("part", "foreign", "l_partkey"),
            ],
            [
                time("l_shipdate"),
                category("returnflag", "l_returnflag"),
                category("linestatus", "l_linestatus"),
                category("shipmode", "l_shipmode"),
                category("discount", "l_discount"),
                category("quantity", "l_quantity"),
            ],
            "l_shipdate",
        ),
        model(
            relation("lake", "orders"),
            [entity("order", "primary", "o_orderkey"), entity("customer", "foreign", "o_custkey")],
            [time("o_orderdate"), category("priority", "o_orderpriority")],
            "o_orderdate",
        ),
        model(
            relation("lake", "customer"),
            [entity("customer", "primary", "c_custkey"), entity("nation", "foreign", "c_nationkey")],
            [category("segment", "c_mktsegment")],
        ),
        model(
            relation("lake", "supplier"),
            [entity("supplier", "primary", "s_suppkey"), entity("nation", "foreign", "s_nationkey")],
            [category("supplier_name", "s_name")],
        ),
        model(relation("lake", "nation"), [entity("nation", "primary", "n_nationkey")], [category("label", "n_name")]),
        model(relation("lake", "part"), [entity("part", "primary", "p_partkey")], [category("brand", "p_brand")]),
    ]
    metrics = [
        simple("revenue", "lineitem", "sum", _REVENUE),
        simple("lines", "lineitem", "count", "1"),
        simple("quantity", "lineitem", "sum", "l_quantity"),
        simple("price", "lineitem", "sum", "l_extendedprice"),
        simple("cheapened", "lineitem", "sum", _REVENUE, "{{ Dimension('line__discount') }} >= 0.05"),
        simple("small", "lineitem", "count", "1", "{{ Dimension('line__quantity') }} < 24"),
        simple("orders", "orders", "count", "1"),
        simple("ordered", "orders", "sum", "o_totalprice"),
        ratio("price_a_line", "revenue", "lines"),
        ratio("cheapened_share", "cheapened", "revenue"),
        ratio("revenue_an_order", "revenue", "orders"),
        derived("given_away", "price - revenue", {"name": "price"}, {"name": "revenue"}),
        derived(
            "growth",
            "revenue - before",
            {"name": "revenue"},
            {"name": "revenue", "alias": "before", "offset_window": length(1, "year")},
        ),
        cumulative("revenue_2_months", "revenue", window=length(2, "months")),
    ]
    return manifests.manifest(models, metrics, relation("lake", "days"))


_LINES = "lake.lineitem"
_SPAN = ("2002-01-01", "2004-09-26")  # 1000 days
CASES = (
    Case(
        "pricing summary (as Q1)",
        {
            "metrics": ["quantity", "price", "revenue", "price_a_line", "lines"],
            "group_by": ["line__returnflag", "line__linestatus"],
            "where": ["{{ TimeDimension('line__l_shipdate', 'day') }} <= '2006-09-02'"],
        },
        _LINES,
        "l_returnflag l_linestatus l_shipdate l_quantity l_extendedprice l_discount",
    ),
    Case(
        "filtered metrics",
        {"metrics": ["cheapened", "cheapened_share", "small", "lines"], "group_by": ["line__shipmode"]},
        _LINES,
        "l_shipmode l_extendedprice l_discount l_quantity",
    ),
    Case(
        "two hops, three ratios",
        {"metrics": ["price_a_line", "cheapened_share", "given_away"], "group_by": ["supplier__nation__label"]},
        _LINES,
        "l_suppkey l_extendedprice l_discount",
    ),
    Case(
        "two hops over orders",
        {"metrics": ["revenue"], "group_by": ["order__customer__segment"]},
        _LINES,
        "l_orderkey l_extendedprice l_discount",
    ),
    Case(
        "two facts",
        {"metrics": ["revenue_an_order", "ordered"], "group_by": ["metric_time__month"]},
        _LINES,
        "l_shipdate l_extendedprice l_discount",
    ),
    Case(
        "offset, a year",
        {"metrics": ["growth"], "group_by": ["metric_time__month"]},
        _LINES,
        "l_shipdate l_extendedprice l_discount",
    ),
    Case(
        "cumulative, 2 months",
        {"metrics": ["revenue_2_months"], "group_by": ["metric_time__day"], "time_constraint": _SPAN},
        _LINES,
        "l_shipdate l_extendedprice l_discount",
        cumulative=True,
    ),
)
