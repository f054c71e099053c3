"""Columns that are nearer to what came after each row than to what was known before it.

A column of a training set claims to be a metric over a window before each row. It is compared with that metric, as it
was known then, and with the same metric over the window after the row, as it came true. A column that is what it claims
goes with the first as nothing else can; one that was computed over the wrong side of the row goes with the second.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.semantic.expressions import double
from penstock.semantic.render import render
from penstock.semantic.stage import subquery
from penstock.training_sets.compile import compile_training_set
from penstock.training_sets.features import MetricFeature, parse_feature
from penstock.training_sets.keys import Key, columns_of
from penstock.training_sets.leakage.own_names import with_own_names
from penstock.training_sets.request import Spine, TrainingSetRequest, Types
from penstock.training_sets.sql import column, kinds, known_dialect, microseconds, not_null, source_of, user_column

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest
    from penstock.semantic.request import Dialect

_WHERE = "penstock.no_future_correlation"


def future_correlation(
    manifest: SemanticManifest,
    relation: str,
    *,
    at: str,
    entities: Mapping[str, Key],
    features: Mapping[str, str],
    columns: Collection[str],
    margin: float = 0.01,
    types: Types | None = None,
    dialect: str = "spark",
) -> str:
    """SQL whose rows are the columns nearer to the future: which, how it goes with the past, with the future, rows.

    Args:
        manifest: The project's definitions.
        relation: The table of the training set.
        at: Its column with the time of each row.
        entities: For each entity, its column of keys, or of a key of several columns all of them.
        features: For each column, the metric over a window that it claims to be: `carrier.on_time_rate over 7 days`.
        columns: The columns of the table.
        margin: By how much the correlation with the future has to be the greater one.
        types: Types of columns by relation, as in a request for a training set.
        dialect: `spark` or `duckdb`.

    Raises:
        InvalidRequestError: A feature is not a metric over a window, or can't be computed.
        UnknownNameError: It names what is not there.
    """
    target = known_dialect(dialect)
    for name in (at, *columns_of(entities.values()), *features):
        if name.lower() not in {c.lower() for c in columns}:
            raise UnknownNameError.of("column", name, columns, where=f"{_WHERE}, the training set")
    claimed = {name: _over_window(text, name) for name, text in features.items()}
    if not claimed:
        raise InvalidRequestError(
            "no column is named", where=_WHERE, fix="features: {rate: 'carrier.rate over 7 days'}"
        )
    texts = [f"{f.entity}.{f.metric} over {f.window.count} {f.window.unit}s" for f in claimed.values() if f.window]
    past = TrainingSetRequest(
        Spine(relation, at, entities), tuple(f"{t} as _past_{i}" for i, t in enumerate(texts)), types=types or {}
    )
    sql = compile_training_set(manifest, past, dialect).sql
    lengths = [f.window.microseconds for f in claimed.values() if f.window]
    for length in dict.fromkeys(lengths):
        then = f"_then_{length}"
        wanted = tuple(f"{t} as _next_{i}" for i, t in enumerate(texts) if lengths[i] == length)
        spine = Spine(_with_time(sql, at, length, then, target), then, entities)
        after = TrainingSetRequest(spine, wanted, types=types or {})
        sql = compile_training_set(_known_at_once(manifest), after, dialect).sql
    return render(_nearer(sql, tuple(claimed), margin, target), target)


def _over_window(text: str, name: str) -> MetricFeature:
    feature = parse_feature(text)
    if isinstance(feature, MetricFeature) and feature.window is not None:
        return feature
    raise InvalidRequestError(
        "only a metric over a window has a time after each row to be compared with",
        where=f"{_WHERE}, {name}: {text}",
        fix="leave it out here",
    )


def _known_at_once(manifest: SemanticManifest) -> SemanticManifest:
    """The definitions of one who knows each row as it happens: what came true, whenever it became known."""
    models = {n: replace(m, meta={"penstock": {"delay": "0 seconds"}}) for n, m in manifest.models.items()}
    metrics = {n: replace(m, meta={}) for n, m in manifest.metrics.items()}
    return replace(manifest, models=models, metrics=metrics)


def _with_time(sql: str, at: str, length: int, then: str, dialect: Dialect) -> str:
    """The rows with the time at which their window after them ends."""
    asked = with_own_names(source_of(sql, "_asked", dialect), f"_by{then}")
    rows = exp.Select().from_(asked, copy=False)
    end = exp.Add(this=microseconds(user_column(at, "_asked"), dialect), expression=exp.Literal.number(length))
    time = exp.UnixToTime(this=end, scale=exp.UnixToTime.MICROS.copy())
    star = exp.Column(this=exp.Star(), table=exp.to_identifier("_asked"))
    return render(rows.select(star, exp.alias_(time, then), copy=False), dialect)


def _nearer(sql: str, names: Sequence[str], margin: float, dialect: Dialect) -> exp.Select:
    seen = exp.Select().from_(source_of(sql, "_set", dialect), copy=False)
    for i, name in enumerate(names):
        sides = [column(f"_past_{i}", "_set"), column(f"_next_{i}", "_set")]
        # all three, so that both correlations are over the same rows
        there = exp.and_(*(not_null(c) for c in (user_column(name, "_set"), *sides)), copy=False)
        own = exp.Case(ifs=[exp.If(this=there, true=double(user_column(name, "_set")))])
        for label, side in zip(("past", "future"), sides, strict=True):
            value = exp.Abs(this=exp.Corr(this=own.copy(), expression=double(side)))
            seen = seen.select(exp.alias_(value, f"{label}_{i}"), copy=False)
        seen = seen.select(exp.alias_(exp.Count(this=own), f"rows_{i}"), copy=False)
    lines = exp.Select().from_(subquery(seen, "_seen"), copy=False)
    lines.append("joins", kinds(len(names)))
    lines = lines.select(
        exp.alias_(_chosen([exp.Literal.string(n) for n in names]), "feature"),
        *(
            exp.alias_(_chosen([column(f"{what}_{i}") for i in range(len(names))]), f"_{what}")
            for what in ("past", "future", "rows")
        ),
        copy=False,
    )
    more = exp.Add(this=column("_past"), expression=exp.Literal.number(margin))
    nearer = exp.Select().from_(subquery(lines, "_lines"), copy=False)
    nearer = nearer.select(
        column("feature"),
        exp.alias_(column("_past"), "correlation_with_past"),
        exp.alias_(column("_future"), "correlation_with_future"),
        exp.alias_(column("_rows"), "rows"),
        copy=False,
    )
    # Spark takes NaN, which is what a column of one value gives, for the greatest of all numbers
    number = exp.Not(this=exp.IsNan(this=column("_future")))
    return nearer.where(exp.GT(this=column("_future"), expression=more), number, copy=False)


def _chosen(values: Sequence[exp.Expr]) -> exp.Case:
    ifs = [exp.If(this=exp.Literal.number(i), true=value) for i, value in enumerate(values)]
    return exp.Case(this=column("_kind"), ifs=ifs)
