"""A model with all that a report shows, on DuckDB: rows with scores and labels, tiles, drift, gates and use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from sqlglot import exp

from penstock.monitoring.discovery import adjusted
from penstock.monitoring.drift import Baseline, Tiling, Window, drift, edges, features_of, moving, tiles
from penstock.monitoring.report.belongs import Belonging, DriftTable, Scored, belonging_to
from penstock.monitoring.report.collected import Collected, Known, State, collect
from penstock.monitoring.report.engine import Engine
from penstock.registry.moves import Move, reason_of_rollback

START = datetime(2026, 1, 1)
NOW = datetime(2026, 1, 26, 12)  # the labels of the last days are not final
DAYS = 28
CHANGED = datetime(2026, 1, 15)  # when the distance of flights from B grows
GATE = "11111111-2222-3333-4444-555555555555"
DRIFT = DriftTable("delay_drift", "delay_drift", "delay_tiles", "delay_baseline", "delay_edges", "7 days", "day")
SCORED = Scored("scored", "scored", "p_late", "is_late", "at", "final_at", ("carrier", "origin"))


def frame(days: int = DAYS, rows: int = 4_000, seed: int = 1) -> pd.DataFrame:
    """Scored rows: too sure scores, a bad carrier, labels that are final after two days, some that never come."""
    rng = np.random.default_rng(seed)
    at = pd.Series([START + timedelta(seconds=int(each)) for each in np.sort(rng.integers(0, days * 86_400, rows))])
    carrier = rng.choice(["AA", "DL", "<script>alert(1)</script>"], rows, p=[0.5, 0.45, 0.05])
    origin = pd.Series(rng.choice(["A", "B", None], rows, p=[0.5, 0.4, 0.1]), dtype=object)
    chance = rng.beta(2, 3, rows)
    late = (rng.random(rows) < np.where(carrier == "DL", 0.5, chance)).astype(float)
    late[rng.random(rows) < 0.03] = np.nan
    moved = (at >= CHANGED) & (origin == "B")
    return pd.DataFrame(
        {
            "at": at,
            "carrier": carrier,
            "origin": origin,
            "p_late": np.clip(0.5 + 1.4 * (chance - 0.5), 0.001, 0.999),
            "is_late": late,
            "final_at": at + timedelta(days=2),
            "distance": rng.normal(100, 20, rows) + np.where(moved, 60, 0),
            "shop": rng.choice(["a", 'it"s & <b>', "c"], rows),
        }
    )


def connected(given: pd.DataFrame) -> duckdb.DuckDBPyConnection:
    """The rows with NULL for NaN, their tiles, and the drift of weeks."""
    connection = duckdb.connect()
    connection.register("given", given)
    connection.execute(
        "CREATE TABLE scored AS SELECT * REPLACE (CASE WHEN NOT isnan(is_late) THEN is_late END AS is_late) FROM given"
    )
    kinds: Any = {"distance": "number", "shop": "text"}
    trained = exp.select("*").from_("scored").where(f"at < CAST('{CHANGED - timedelta(days=5)}' AS TIMESTAMP)")
    chosen = edges(Baseline(trained, kinds, name="scored", version=1, bins=10, values=5), "duckdb")
    connection.execute(f"CREATE TABLE delay_edges AS {chosen.sql('duckdb')}")
    cursor = connection.execute("SELECT * FROM delay_edges WHERE bin >= 0 ORDER BY feature, bin")
    names = [each[0] for each in cursor.description]
    bins = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    edges_id = bins[0]["edges_id"]
    tiling = Tiling("delay_edges", edges_id, features_of(bins), time="at", segments=("origin",))
    connection.execute(f"CREATE TABLE delay_tiles AS {tiles('scored', tiling, 'duckdb').sql('duckdb')}")
    untimed = Tiling("delay_edges", edges_id, tiling.features, segments=("origin",))
    connection.execute(f"CREATE TABLE delay_baseline AS {tiles(trained, untimed, 'duckdb').sql('duckdb')}")
    sides = Window("delay_baseline", edges_id), Window("delay_tiles", edges_id)
    drifts = drift(moving("delay_edges", *sides, "duckdb", size=7), "duckdb", smoothing="jeffreys")
    told = adjusted(drifts, "duckdb", by=["window_end"])
    connection.execute(f"CREATE TABLE delay_drift AS {told.sql('duckdb')}")
    return connection


def engine_of(connection: duckdb.DuckDBPyConnection) -> Engine:
    def has(relation: str) -> bool:
        found = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [relation.rpartition(".")[2]])
        return found.fetchall() != []

    return Engine(lambda query: connection.sql(query.sql("duckdb")).to_arrow_table(), has, "duckdb")


def node(name: str, code: str = "select 1", *parents: str, kind: str = "model", **more: Any) -> dict[str, Any]:
    """A node of a manifest; meta in `meta`, other keys of its config in `config`."""
    meta, config = more.pop("meta", {}), more.pop("config", {})
    return {
        "name": name, "unique_id": f"{kind}.p.{name}", "resource_type": kind, "relation_name": name, "language": "sql",
        "original_file_path": f"models/{name}.yml", "description": f"what {name} is", "raw_code": code,
        "config": {"meta": {"penstock": meta}, "materialized": "table", **config},
        "depends_on": {"nodes": [each if "." in each else f"model.p.{each}" for each in parents]}, **more,
    }  # fmt: skip


def manifest(*more: dict[str, Any], report: Any = None, gate: Any = None) -> dict[str, Any]:
    """A project that trains `delay`, scores with it, and looks at drift."""
    declared = {"report": report, "gate": gate}
    drifts = "{{ penstock.drift(ref('delay_tiles'), ref('delay_baseline'), ref('delay_edges'), window='7 days') }}"
    nodes = [
        node("flights", "select 1", "source.p.lake.flights"),
        node("delay", "", "flights", meta={name: each for name, each in declared.items() if each}),
        node("scored", "select 1", "delay", "flights"),
        node("delay_edges", "select 1", "flights"),
        node("delay_tiles", "select 1", "flights", "delay_edges"),
        node("delay_baseline", "{{ penstock.baseline_tiles(ref('delay'), ref('delay_edges')) }}", "delay"),
        node("delay_drift", drifts, "delay_tiles", "delay_baseline", "delay_edges"),
        *more,
    ]
    source = {
        "name": "flights",
        "unique_id": "source.p.lake.flights",
        "resource_type": "source",
        "relation_name": "lake.flights",
    }
    return {
        "nodes": {each["unique_id"]: each for each in nodes},
        "sources": {source["unique_id"]: source},
        "groups": {},
    }


REPORT = {
    "rows": "scored", "score": "p_late", "label": "is_late", "time": "at", "final": "final_at",
    "slices": ["carrier", "origin"],
}  # fmt: skip


LOSS = {"evaluate": "scored", "label": "is_late", "time": "at", "loss": "log_loss", "tests": ["scored_is_whole"]}


def belonging() -> Belonging:
    whole = node("scored_is_whole", "", "scored", kind="test", attached_node="model.p.scored")
    return belonging_to(manifest(whole, report=REPORT, gate=LOSS), "delay")


def move(commit: int, day: int, version: int, reason: str) -> Move:
    made = SimpleNamespace(version=version, run_id=None)
    return Move(commit, datetime(2026, 1, day, tzinfo=UTC), made, reason)  # type: ignore[arg-type]


MOVES = [
    move(1, 2, 1, "first version"),
    move(2, 10, 2, f"gate {GATE}"),
    move(3, 18, 1, reason_of_rollback(2, "complaints <b>")),
]
LEDGER = [
    {
        "moved_at": datetime(2026, 1, 10, tzinfo=UTC), "version": 2, "before": 1, "reason": f"gate {GATE}",
        "gate_id": GATE, "promised": 0.0123, "promised_low": 0.004, "promised_high": 0.02, "realised": -0.0456,
        "realised_low": -0.06, "realised_high": -0.03, "compared": 1234, "how": "paired",
    },
]  # fmt: skip


def known(**more: Any) -> Known:
    states = {name: State(name, 3, NOW - timedelta(days=1)) for name in ("scored", "delay_drift", "flights")}
    return Known(**({"at": NOW, "moves": MOVES, "ledger": LEDGER, "states": states} | more))


@cache
def example() -> Collected:
    """All of it, collected once."""
    return collect(belonging(), known(), engine_of(connected(frame())))


@cache
def small() -> Engine:
    """A few rows of the same, for what changes no table."""
    return engine_of(connected(frame(rows=800)))
