"""Random requests over random worlds on Spark, with ANSI mode on and off: the rows are the oracle's.

PENSTOCK_EXAMPLES draws more worlds than every run does.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from compare import Answer, begins, difference
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import Oracle
from oracle_looks import answer
from world_metrics import worlds
from world_models import SCHEMA, Table
from world_requests import REFUSALS, looks, requests

from penstock.manifest.load import load_manifest
from penstock.semantic import batch

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EXAMPLES = int(os.environ.get("PENSTOCK_EXAMPLES", "12"))
_TYPES = {"int": "BIGINT", "double": "DOUBLE", "text": "STRING", "bool": "BOOLEAN", "time": "TIMESTAMP"}


def test_our_answers_are_the_oracles(spark: SparkSession) -> None:
    session = spark.newSession()
    seen: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # to make a failing world smaller takes too long on Spark
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        world = data.draw(worlds())
        # views have no schema, so that worlds don't have to be written anywhere
        manifest = load_manifest(json.loads(json.dumps(world.manifest).replace(f'"{SCHEMA}.', '"')))
        oracle = Oracle(world.manifest, {name: table.records() for name, table in world.tables.items()})
        for name, table in world.tables.items():
            session.sql(f"CREATE OR REPLACE TEMP VIEW {name} AS {_rows(table)}")
        for drawn in (requests(world, limits=True), looks(world)):
            request = data.draw(drawn)
            seen["drawn"] += 1
            ours = batch.answer({**request, "dialect": "spark"}, manifest)
            if "error" in ours:
                assert any(reason in ours["error"] for reason in REFUSALS), (request, ours["error"])
                continue
            expected = answer(oracle, request)
            for ansi in ("true", "false"):
                session.conf.set("spark.sql.ansi.enabled", ansi)
                got = _answer_of(session, ours["sql"])
                if request.get("limit"):
                    assert begins(got, expected, request["order_by"], request["limit"]), (request, ours["sql"])
                else:
                    assert difference(got, expected) is None, (request, ours["sql"])
            seen["compared"] += 1

    check()
    assert seen["compared"] > 0.7 * seen["drawn"]


def _rows(table: Table) -> str:
    columns = ", ".join(f"CAST({name} AS {_TYPES[kind]}) AS {name}" for name, kind in table.columns.items())
    nothing = tuple(None for _ in table.columns)
    rows = ", ".join(f"({', '.join(map(_literal, row))})" for row in table.rows or [nothing])
    return f"SELECT {columns} FROM VALUES {rows} AS t({', '.join(table.columns)}) {'' if table.rows else 'WHERE FALSE'}"


def _literal(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    if isinstance(value, str):
        return f"'{value}'"
    return "NULL" if value is None else f"{value}D" if isinstance(value, float) else str(value).upper()


def _answer_of(session: SparkSession, sql: str) -> Answer:
    frame = session.sql(sql)
    # as days, since moments would be turned to the zone of this process
    shown = [
        frame[name].cast("date").alias(name) if kind == "timestamp" else frame[name] for name, kind in frame.dtypes
    ]
    return frame.columns, [tuple(row) for row in frame.select(*shown).collect()]
