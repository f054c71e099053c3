"""Rows, edges and tiles on DuckDB, for the tests of tiles."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from sqlglot import exp

from penstock.monitoring.drift import Baseline, Feature, Tiling, edges, features_of, tiles

START = datetime(2026, 1, 1)
CONNECTION = duckdb.connect()
KINDS = {"amount": "number", "size": "number", "dirty": "number", "empty": "number", "shop": "text", "vip": "text"}


def rows_of(sql: str | exp.Query) -> list[dict[str, Any]]:
    answer = CONNECTION.execute(sql if isinstance(sql, str) else sql.sql("duckdb"))
    names = [each[0] for each in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def frame(rng: np.random.Generator, rows: int, *, shift: float = 0.0, days: int = 10) -> pd.DataFrame:
    """Rows of all kinds of features: a smooth one, one of few values, one with NaN and infinite ones, and texts."""
    dirty = rng.choice([0.0, -0.0, 1.5, np.inf, -np.inf, np.nan, 7.25], rows)
    return pd.DataFrame(
        {
            "at": [START + timedelta(seconds=int(each)) for each in rng.integers(0, 86_400 * days, rows)],
            "version": rng.integers(1, 3, rows),
            "amount": rng.lognormal(shift, 1, rows).round(3),
            "size": rng.integers(-2, 6, rows) + round(shift),
            "dirty": dirty,
            "empty": np.full(rows, np.nan),
            "shop": rng.choice(["a", "b", "it's", ""], rows),
            "vip": rng.choice([True, False], rows),
        }
    )


def store(name: str, given_frame: pd.DataFrame, missing: np.random.Generator | None = None) -> None:
    """A table of these rows; with NULLs in every feature but the smooth one, if asked for."""
    table = pa.Table.from_pandas(given_frame, preserve_index=False)
    columns = {
        "at": pa.timestamp("us"), "version": pa.int32(), "amount": pa.float64(), "size": pa.int64(),
        "dirty": pa.float64(), "empty": pa.float64(), "shop": pa.string(), "vip": pa.bool_(),
    }  # fmt: skip
    arrays = []
    for column, kind in columns.items():
        mask = None
        if column == "empty":
            mask = np.full(len(given_frame), True)
        elif missing is not None and column in ("size", "dirty", "shop", "vip"):
            mask = missing.random(len(given_frame)) < 0.1
        arrays.append(pa.array(given_frame[column].to_numpy(), kind, mask=mask, from_pandas=False))
    table = pa.table(arrays, names=list(columns))
    CONNECTION.register("incoming", table)
    CONNECTION.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM incoming")
    CONNECTION.unregister("incoming")


def build_edges(
    relation: str, features: dict[str, Any] = KINDS, *, name: str = "the_edges", **more: Any
) -> tuple[str, tuple[Feature, ...]]:
    """A table of edges, its id, and the features as they are in it."""
    baseline = Baseline(relation, features, relation, **more)
    CONNECTION.execute(f"CREATE OR REPLACE TABLE {name} AS {edges(baseline, 'duckdb').sql('duckdb')}")
    bins = rows_of(f"SELECT * FROM {name} WHERE bin >= 0 ORDER BY feature, bin")
    found = {each.name: each for each in features_of(bins)}
    return baseline.edges_id, tuple(found[name] for name in features)


def build_tiles(name: str, relation: str, tiling: Tiling) -> None:
    CONNECTION.execute(f"CREATE OR REPLACE TABLE {name} AS {tiles(relation, tiling, 'duckdb').sql('duckdb')}")
