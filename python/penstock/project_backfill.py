"""A training set of a project, written slice by slice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock import __version__
from penstock.engines import backfill as writing
from penstock.engines import reproduce
from penstock.engines import spark as spark_engine
from penstock.errors import InvalidRequestError
from penstock.semantic.as_of import pinned, tables_in
from penstock.training_sets import compile_training_set
from penstock.training_sets.record import SETTINGS, Record, SpineRecord, definitions_used
from penstock.training_sets.slices import sliced, slices

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from penstock.manifest.model import SemanticManifest
    from penstock.semantic.durations import Duration
    from penstock.steps import Doing
    from penstock.training_sets import TrainingSetRequest


@dataclass(frozen=True)
class Backfilled:
    """A backfill that is done.

    Args:
        table: The table.
        inputs: The versions of the inputs that all slices read.
        written: How many slices this run wrote.
        found: How many were written before.
        recorded: Whether the table says what it was made from, because the range has all rows of the set.
    """

    table: str
    inputs: Mapping[str, int | None]
    written: int
    found: int
    recorded: bool


def backfill(
    spark: SparkSession,
    table: str,
    asked: tuple[SemanticManifest, TrainingSetRequest],
    given: Mapping[str, Any],
    between: tuple[datetime, datetime],
    step: Duration,
    doing: Doing,
) -> Backfilled:
    """Write a training set's rows of a range of time, slice by slice.

    Each slice is one commit and takes the place of what the table has there. All read the same versions of the inputs.
    The same call after a broken one goes on with the versions of that, and writes the slices that are missing. A range
    that has all rows of the set makes what a build would: then the table gets the record that a build writes.

    Args:
        spark: The session.
        table: The table; it is made if it is not there.
        asked: The definitions and the request.
        given: The request as the model gives it, for the record.
        between: The first instant of the range, and the first after it.
        step: The length of a slice.
        doing: Shows each slice.

    Raises:
        InvalidRequestError: when there is nothing in the range, or the set can't be sliced.
        PenstockError: when the request has no answer.
    """
    definitions, request = asked
    at = request.spine.at
    if request.spine.columns and at not in request.spine.columns:
        raise InvalidRequestError(
            f"the table would not have '{at}', by which its slices are told apart", where="columns", fix=f"add {at}"
        )
    parts = list(slices(*between, step))
    whole = compile_training_set(definitions, sliced(request, between), "spark").sql
    identity = _identity(whole, definitions_used(definitions, request), step)
    begun = writing.begun(spark, table, identity)
    inputs = begun.inputs if begun else {n: spark_engine.delta_version(spark, n) for n in tables_in(whole, "spark")}
    done = begun.done if begun else frozenset()
    writing.create_empty(spark, table, whole)
    missing = [ends for ends in parts if ends[0].isoformat() not in done]
    for number, ends in enumerate(missing, start=1):
        sql = compile_training_set(definitions, sliced(request, ends), "spark").sql
        with _step(doing, f"writing slice {number} of {len(missing)}, from {ends[0]}", spark):
            writing.write_slice(spark, table, pinned(sql, inputs), at=at, ends=ends, identity=identity, inputs=inputs)
    recorded = _has_all_rows(spark, table, pinned(compile_training_set(definitions, request).rows, inputs), at, between)
    built = reproduce.built_set(spark, table)
    if recorded and (built is None or built.record is None or built.written_since is not None):
        _write_record(spark, table, asked, given, inputs)
    return Backfilled(table, inputs, len(missing), len(parts) - len(missing), recorded)


def _has_all_rows(spark: SparkSession, table: str, rows: str, at: str, between: tuple[datetime, datetime]) -> bool:
    """Whether neither the set nor the table has a row outside of the range."""
    first, after = (f"TIMESTAMP'{end.isoformat(' ')}'" for end in between)
    outside = f"`{at}` IS NULL OR `{at}` < {first} OR `{at}` >= {after}"
    return all(spark.sql(f"SELECT 1 FROM {of} WHERE {outside} LIMIT 1").isEmpty() for of in (f"({rows})", table))


def _write_record(
    spark: SparkSession,
    table: str,
    asked: tuple[SemanticManifest, TrainingSetRequest],
    given: Mapping[str, Any],
    inputs: Mapping[str, int | None],
) -> None:
    compiled = compile_training_set(*asked)
    spine = pinned(compiled.rows, inputs)
    record = Record(
        sql=pinned(compiled.sql, inputs),
        inputs=inputs,
        spine=SpineRecord(spine, *reproduce.checksum_of(spark.sql(spine))),
        definitions=definitions_used(*asked),
        session={name: spark.conf.get(name) or "" for name in SETTINGS},
        request=given,
        penstock=__version__,
        merged=spark_engine.delta_version(spark, table),
    )
    reproduce.write_record(spark, table, record)


def _identity(sql: str, definitions: Mapping[str, str], step: Duration) -> str:
    """What tells one backfill from another: what is asked, of which definitions, in which slices."""
    parts: list[Any] = [sql, dict(definitions), step.microseconds]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _step(doing: Doing, step: str, spark: SparkSession) -> AbstractContextManager[None]:
    return doing(step, partial(spark_engine.how_far, spark))
