"""Feast's side, in Feast's environment: its offline stores on Spark and DuckDB, and both engines for everybody's SQL.

Both sides run in one process, so that they have the same engine, the same settings and the same files.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ibis
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource
from feast.types import Int32, Int64
from processes import tree_seconds
from protocol import serve
from pyspark.sql import DataFrame, SparkSession

_session: list[SparkSession] = []
_prepared: dict[str, DataFrame | str] = {}
_kept: list[Any] = []  # what DuckDB reads from Python's memory


def opened(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Open the engines: Spark with the settings, and the connection to DuckDB that Feast's store uses too."""
    engines = []
    if "duckdb" in asked["engines"]:
        ibis.get_backend().con.execute("SET threads = 1")
        engines.append(f"duckdb {version('duckdb')}, one thread")
    if "spark" in asked["engines"]:
        os.environ["PYSPARK_PYTHON"] = sys.executable
        builder = SparkSession.builder.appName("benchmark")
        for name, value in asked["settings"].items():
            builder = builder.config(name, value)
        _session[:] = [builder.getOrCreate()]
        engines.append(f"spark {_session[0].version}")
    return {"feast": version("feast"), "engines": engines}


def tables(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name these Parquet files on an engine, in place of those before."""
    for name, file in asked["files"].items():
        if asked["engine"] == "spark":
            _session[0].read.parquet(file).createOrReplaceTempView(name)
        else:
            ibis.get_backend().con.execute(f"CREATE OR REPLACE VIEW {name} AS FROM '{file}'")
    return {}


def prepare(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep a statement under a name, planned as far as its engine does before it runs."""
    if asked["engine"] == "spark":
        # Feast's store sets it, and it gives names in backticks another meaning
        _session[0].conf.set("spark.sql.parser.quotedRegexColumnNames", "false")
    _prepared[asked["name"]] = _session[0].sql(asked["sql"]) if asked["engine"] == "spark" else asked["sql"]
    return {}


def feast(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep what `get_historical_features` of the engine's offline store answers for the labels and all features."""
    on_spark = asked["engine"] == "spark"
    with tempfile.TemporaryDirectory() as folder:
        config = RepoConfig(
            project="bench",
            provider="local",
            registry=f"{folder}/registry.db",
            offline_store={"type": "spark" if on_spark else "duckdb"},
            online_store=None,
            entity_key_serialization_version=3,
            repo_path=Path(folder),
        )
        store = FeatureStore(config=config)
        thing = Entity(name="thing", join_keys=["thing"], value_type=ValueType.INT64)
        views = [_view(name, file, asked, thing, on_spark) for name, file in asked["views"].items()]
        store.apply([thing, *views])
        labels = "SELECT id, thing, asked_at FROM labels"
        job = store.get_historical_features(
            entity_df=labels if on_spark else ibis.get_backend().con.execute(labels).df(),
            features=[f"{name}:{f}" for name in asked["views"] for f in asked["features"]],
            full_feature_names=True,
        )
    if on_spark:
        _prepared[asked["name"]] = job.to_spark_df()
    else:
        backend = ibis.get_backend()
        backend._run_pre_execute_hooks(job.table)  # gives the engine the frame of labels
        _prepared[asked["name"]] = ibis.to_sql(job.table)
        _kept.append(job)
    return {}


def run(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Run a kept statement to its end: how many rows it has, and a sum of hashes of all its columns."""
    statement, columns = _prepared[asked["name"]], ", ".join(asked["columns"])
    if isinstance(statement, DataFrame):
        row = statement.selectExpr(f"xxhash64({columns}) AS h").selectExpr("count(*)", "bit_xor(h)").collect()[0]
    else:
        row = (
            ibis.get_backend()
            .con.execute(f"SELECT count(*), bit_xor(hash({columns})) FROM ({statement}) AS answer")
            .fetchall()[0]
        )
    return {"rows": row[0], "checksum": f"{row[1] % 2**64:016x}"}


def _view(name: str, file: str, asked: Mapping[str, Any], thing: Entity, on_spark: bool) -> FeatureView:
    at = {"name": f"{name}_source", "timestamp_field": "happened_at"}
    return FeatureView(
        name=name,
        entities=[thing],
        ttl=timedelta(0),
        schema=[Field(name="thing", dtype=Int64), *(Field(name=f, dtype=Int32) for f in asked["features"])],
        source=SparkSource(table=name, **at) if on_spark else FileSource(path=file, **at),
    )


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    works = {"open": opened, "tables": tables, "prepare": prepare, "feast": feast, "run": run}
    serve(works, tree_seconds)
