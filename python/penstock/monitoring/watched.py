"""What of a model is watched, `meta: {penstock: {watch: …}}` of the dbt node that trains it, and the queries for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.monitoring.performance.formulas import METRICS
from penstock.monitoring.performance.metrics import performance
from penstock.monitoring.performance.regression import NUMBER_METRICS, number_performance
from penstock.monitoring.performance.scores import Scores
from penstock.monitoring.words import inside, spark_sql

_KEYS = ("drift", "labels", "metrics", "model", "numbers")
_FIX = "watch: {drift: a model of penstock.drift, labels: a model of penstock.labels, metrics: [auc, log_loss]}"
_OF_SCORES, _OF_NUMBERS = ("auc", "log_loss"), ("absolute_error", "rmse")
WORST = 5
"""How many features are shown."""


@dataclass(frozen=True)
class Watched:
    """What of a model is watched.

    Attributes:
        model: The registered name.
        node: The name of the dbt node that declares it.
        drift: The dbt model of its features' drift; empty where there is none.
        labels: The dbt model of its predictions' labels; empty where there is none.
        metrics: The metrics that are shown.
        numbers: Whether it predicts numbers.
    """

    model: str
    node: str
    drift: str = ""
    labels: str = ""
    metrics: tuple[str, ...] = _OF_SCORES
    numbers: bool = False


def watched_in(meta: Mapping[str, Any] | None, *, node: str, where: str) -> Watched | None:
    """What a node declares under `penstock.watch`; what it only has a gate for is watched too; None of others.

    Args:
        meta: The node's `config.meta`.
        node: Its name, which is the model's unless that is given.
        where: Its file, for errors.

    Raises:
        UnknownNameError: when it has a key, or names a metric, that there is not.
        InvalidDefinitionError: when a value is wrong.

    Example:
        >>> watched_in({"penstock": {"watch": {"drift": "delay_drift"}}}, node="delay", where="delay.yml").metrics
        ('auc', 'log_loss')
    """
    section = (meta or {}).get("penstock")
    if not isinstance(section, Mapping) or not {"watch", "gate"} & section.keys():
        return None
    gate = section.get("gate")
    model = str((gate if isinstance(gate, Mapping) else {}).get("model") or node)
    given = section.get("watch")
    if given is None:
        return Watched(model, node)
    where = f"{where}, watch"
    if not isinstance(given, Mapping):
        raise InvalidDefinitionError(f"watch is {given!r}, not a mapping", where=where, fix=_FIX)
    for key in given:
        if key not in _KEYS:
            raise UnknownNameError.of("key", str(key), _KEYS, where=where, fix=_FIX)
    for key in ("drift", "labels", "model"):
        if key in given and not (isinstance(given[key], str) and given[key]):
            raise InvalidDefinitionError(f"{key} is {given[key]!r}", where=where, fix="a name")
    numbers = given.get("numbers", False)
    if not isinstance(numbers, bool):
        raise InvalidDefinitionError(f"numbers is {numbers!r}", where=where, fix="true or false")
    metrics = given.get("metrics", _OF_NUMBERS if numbers else _OF_SCORES)
    known = NUMBER_METRICS if numbers else METRICS
    if not isinstance(metrics, list | tuple):
        raise InvalidDefinitionError(f"metrics is {metrics!r}", where=where, fix="a list of names")
    for name in metrics:
        if name not in known:
            raise UnknownNameError.of("metric", str(name), known, where=f"{where}, metrics")
    return Watched(
        given.get("model", model), node, given.get("drift", ""), given.get("labels", ""), tuple(metrics), numbers
    )


def worst_features(drift: str) -> str:
    """The query of the features that are farthest from the baseline in the newest window: a row a feature.

    Args:
        drift: The relation of a model of `penstock.drift`, as Spark's SQL has it.
    """
    table = exp.to_table(drift, dialect="spark")
    newest = exp.select("MAX(window_end)").from_(table)
    by_size = spark_sql("ROW_NUMBER() OVER (PARTITION BY feature ORDER BY js DESC NULLS LAST, segment, value) AS place")
    placed = exp.select("*", by_size).from_(table).where(exp.column("window_end").eq(newest.subquery()))
    shown = exp.select("window_end", "feature", "js", "p_adjusted", "segment", "value").from_(inside(placed))
    return shown.where("place = 1").order_by("js DESC NULLS LAST", "feature").limit(WORST).sql("spark")


def label_counts(labels: str, model: str, version: int) -> str:
    """The query of how many predictions of a version there are, how many are final by now, and have a label.

    Args:
        labels: The relation of a model of `penstock.labels`, as Spark's SQL has it.
        model: The registered model.
        version: Its version.
    """
    counts = {
        "predictions": "COUNT(*)",
        "final": "COUNT_IF(is_final)",
        "labelled": "COUNT_IF(is_final AND NOT label IS NULL)",
        "first_at": "MIN(at)",
        "last_at": "MAX(at)",
    }
    told = [spark_sql(f"{text} AS {name}") for name, text in counts.items()]
    return exp.select(*told).from_(inside(_predictions(labels, model, version))).sql("spark")


def realised(labels: str, watched: Watched, version: int) -> str:
    """The query of the metrics, with their intervals, over the predictions of a version whose label is final.

    Args:
        labels: As for `label_counts`.
        watched: What is shown.
        version: The version.
    """
    rows = exp.select("prediction", "label").from_(inside(_predictions(labels, watched.model, version)))
    scores = Scores(rows.where("is_final", "NOT label IS NULL", "NOT prediction IS NULL"), "prediction", "label")
    told = number_performance(scores, "spark") if watched.numbers else performance(scores, "spark")
    these = exp.column("metric").isin(*map(exp.Literal.string, watched.metrics))
    return exp.select("metric", "value", "low", "high", "rows").from_(inside(told)).where(these).sql("spark")


def _predictions(labels: str, model: str, version: int) -> exp.Select:
    return (
        exp.select("*", spark_sql("final_at <= CURRENT_TIMESTAMP() AS is_final"))
        .from_(exp.to_table(labels, dialect="spark"))
        .where(
            exp.column("model").eq(exp.Literal.string(model)),
            exp.column("version").eq(exp.Literal.number(version)),
            "role <> 'shadow'",
        )
    )
