"""The SQL of labels: for each prediction, what came true of it as far as it is known at some instant.

Feedback that names a prediction is about that one, whenever it happened. Feedback that names an entity is about the
last prediction of each model for that entity, made at most a window before: so a canary and the version beside it share
what comes true, and each version in shadow, which decided nothing, gets all of it. Of what is about one prediction,
what arrived last is the label.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.monitoring.record.ids import entity_sql
from penstock.monitoring.record.tables import FEEDBACK, PREDICTIONS, SHADOW, Table
from penstock.monitoring.words import spark_sql
from penstock.semantic.durations import parse_duration

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What is compared of feedback about one prediction: the last one is the label, and no two are equal.
_ORDER = "STRUCT(arrived_at, event_at, feedback_id)"


@dataclass(frozen=True)
class Labels:
    """Which labels are asked for.

    Attributes:
        kind: Of the feedback that counts.
        horizon: How old a prediction is when its label is final: '7 days'.
        window: How long after a prediction an event of its entity still counts as its own; the horizon if not given.
        as_of: Only what had arrived by then is read; when it is read, if not given.
        model: The model whose predictions are labelled; all models if not given.
    """

    kind: str
    horizon: str
    window: str | None = None
    as_of: datetime | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if self.as_of is not None and self.as_of.utcoffset() is None:
            raise InvalidRequestError(
                f"the time {self.as_of} has no time zone", where="as_of", fix="give it one: datetime(…, tzinfo=UTC)"
            )

    @property
    def horizon_us(self) -> int:
        """The horizon in microseconds."""
        return parse_duration(self.horizon, where="horizon").microseconds

    @property
    def window_us(self) -> int:
        """The window in microseconds."""
        return parse_duration(self.window or self.horizon, where="window").microseconds

    @property
    def instant(self) -> exp.Expr:
        """The instant as of which labels are asked for."""
        if self.as_of is None:
            return exp.CurrentTimestamp()
        return exp.func("TIMESTAMP_MICROS", exp.Literal.number((self.as_of - _EPOCH) // timedelta(microseconds=1)))


def labels_sql(labels: Labels) -> str:
    """The query of one row a prediction that was made by then.

    Its columns are `prediction_id`, `label` (the value) and `class`, `event_at` and `arrived_at` of the feedback, all
    NULL while there is none; `age` of the prediction in seconds; `matured`, whether that is the horizon or more; and
    `skewed`, whether the event is told to have happened before the prediction, as clocks that differ make it.

    Args:
        labels: Which.

    Raises:
        InvalidRequestError: when the horizon or the window is no fixed length of time.
    """
    age = "UNIX_MICROS(as_of) - UNIX_MICROS(p.at)"
    query = (
        _with_labels(exp.select(), labels)
        .select(
            "p.prediction_id",
            "won.value AS label",
            "won.class AS class",
            "won.event_at AS event_at",
            "won.arrived_at AS arrived_at",
            spark_sql(f"({age}) / 1E6 AS age"),
            spark_sql(f"({age}) >= {labels.horizon_us} AS matured"),
            spark_sql("won.event_at < p.at AS skewed"),
        )
        .from_("predictions AS p")
        .join("latest", using="prediction_id", join_type="left")
    )
    return query.sql("spark", pretty=True)


def aside_sql(labels: Labels) -> str:
    """The query of the feedback, known by then, that is about no prediction that was made by then.

    Its columns are those of `ml.feedback`, and `reason`: `unknown prediction`, or `no prediction in the window`.

    Args:
        labels: Which; of all models, whatever it says.

    Raises:
        InvalidRequestError: when the window is no fixed length of time.
    """
    of_all = Labels(labels.kind, labels.horizon, labels.window, labels.as_of)
    reason = "IF(f.prediction_id IS NULL, 'no prediction in the window', 'unknown prediction') AS reason"
    columns = [f"f.{each.name}" for each in FEEDBACK.columns]
    query = (
        _with_attributed(exp.select(), of_all)
        .select(*map(spark_sql, columns), spark_sql(reason))
        .from_("feedback AS f")
        .join("attributed", on="attributed.feedback_id = f.feedback_id", join_type="left anti")
    )
    return query.sql("spark", pretty=True)


@dataclass(frozen=True)
class Versions:
    """The Delta versions of what labels are made from.

    Attributes:
        predictions: Of `ml.predictions`.
        feedback: Of `ml.feedback`.
    """

    predictions: int
    feedback: int


def labels_table_sql(labels: Labels, now: Versions, built: Versions | None = None) -> str:
    """The query of a table of labels: one row a prediction, with the label that it has, and what it was.

    Its columns are those of the prediction (`prediction_id`, `at`, `entity`, `model`, `version`, `role`, `prediction`,
    `class`); `label`, `label_class`, `event_at`, `arrived_at` and `skewed` as `labels_sql` has them; `final_at`, the
    time from which on the label is final; and the `Versions` that it was made from.

    Args:
        labels: Which.
        now: The state of the tables that is read.
        built: The state that a built table was made from; then the rows of those entities alone come of which something
            arrived since then, since no other label can differ.

    Raises:
        InvalidRequestError: when the horizon or the window is no fixed length of time.
    """
    query = (
        _with_labels(exp.select(), labels, now, built)
        .select(
            *_sql_list("p.prediction_id, p.at, p.entity, p.model, p.version, p.role, p.prediction, p.class"),
            "won.value AS label",
            "won.class AS label_class",
            "won.event_at AS event_at",
            "won.arrived_at AS arrived_at",
            spark_sql("won.event_at < p.at AS skewed"),
            spark_sql(f"TIMESTAMP_MICROS(UNIX_MICROS(p.at) + {labels.horizon_us}) AS final_at"),
            spark_sql(f"CAST({now.predictions} AS BIGINT) AS predictions_version"),
            spark_sql(f"CAST({now.feedback} AS BIGINT) AS feedback_version"),
        )
        .from_("predictions AS p")
        .join("latest", using="prediction_id", join_type="left")
    )
    return query.sql("spark", pretty=True)


_WON = "STRUCT(value, class, event_at, arrived_at)"
_ATTRIBUTED = "p.prediction_id, f.feedback_id, f.value, f.class, f.event_at, f.arrived_at"


def _with_labels(
    query: exp.Select, labels: Labels, now: Versions | None = None, built: Versions | None = None
) -> exp.Select:
    """A query with what was predicted, and of each prediction that has a label the feedback that it is."""
    latest = spark_sql(f"SELECT prediction_id, MAX_BY({_WON}, {_ORDER}) AS won FROM attributed GROUP BY prediction_id")
    return _with_attributed(query, labels, now, built).with_("latest", latest)


def _with_attributed(
    query: exp.Select, labels: Labels, now: Versions | None = None, built: Versions | None = None
) -> exp.Select:
    """A query with what had arrived (`feedback`), what was predicted, and which of one is about which of the other."""
    keys = f"{entity_sql('entity')} AS keys"
    if now is None:
        predictions = _from(PREDICTIONS, keys).select(exp.alias_(labels.instant, "as_of"))
        predictions = predictions.where(exp.column("at") <= labels.instant)
        feedback = _from(FEEDBACK, keys).where(exp.column("arrived_at") <= labels.instant)
    else:
        # No clock decides here: what a clock lets in later is told by no version.
        predictions = _from(PREDICTIONS, keys, now.predictions)
        feedback = _from(FEEDBACK, keys, now.feedback)
    feedback = feedback.where(exp.column("kind").eq(labels.kind))
    if labels.model is not None:
        predictions = predictions.where(exp.column("model").eq(labels.model))
    named = exp.select(*_sql_list(_ATTRIBUTED)).from_("feedback AS f")
    named = named.join("predictions AS p", on="p.prediction_id = f.prediction_id")
    if now is not None and built is not None:  # the others of an entity share what is about it
        query = query.with_("predicted", predictions).with_("changed", _changed(now, built))
        predictions = exp.select("*").from_("predicted").join("changed", using="keys", join_type="left semi")
    return (
        query.with_("predictions", predictions)
        .with_("feedback", feedback)
        .with_("attributed", exp.union(named, _last_touch(labels), distinct=False))
    )


def _changed(now: Versions, built: Versions) -> exp.Query:
    """The entities of which a prediction or feedback came between two states: of what is named, those of its name."""
    came = {
        table.name: f"(SELECT * FROM TABLE_CHANGES('{table.name}', {since + 1}, {until}))"
        if until > since
        else f"(SELECT * FROM {table.name} WHERE FALSE)"
        for table, since, until in (
            (PREDICTIONS, built.predictions, now.predictions),
            (FEEDBACK, built.feedback, now.feedback),
        )
    }
    keys = entity_sql("entity")
    named = f"SELECT prediction_id FROM {came[FEEDBACK.name]} WHERE NOT prediction_id IS NULL"
    query = spark_sql(
        f"SELECT {keys} AS keys FROM {came[PREDICTIONS.name]}"
        f" UNION SELECT {keys} FROM {came[FEEDBACK.name]} WHERE prediction_id IS NULL"
        f" UNION SELECT keys FROM predicted LEFT SEMI JOIN ({named}) AS named USING (prediction_id)"
    )
    assert isinstance(query, exp.Query)
    return query


def _from(table: Table, more: str, version: int | None = None) -> exp.Select:
    """All columns of a table in some state, and one more."""
    state = "" if version is None else f" VERSION AS OF {version}"
    query = spark_sql(f"SELECT *, {more} FROM {table.name}{state}")
    assert isinstance(query, exp.Select)
    return query


def _last_touch(labels: Labels) -> exp.Select:
    per = f"f.feedback_id, p.model, IF(p.role = '{SHADOW}', p.version, NULL)"
    last = f"ROW_NUMBER() OVER (PARTITION BY {per} ORDER BY p.at DESC, p.prediction_id DESC) AS touch"
    within = f"UNIX_MICROS(f.event_at) - UNIX_MICROS(p.at) BETWEEN 1 AND {labels.window_us}"
    touched = (
        exp.select(*_sql_list(_ATTRIBUTED), spark_sql(last))
        .from_("feedback AS f")
        .join("predictions AS p", on=spark_sql(f"p.keys = f.keys AND {within}"))
        .where("f.prediction_id IS NULL")
    )
    names = [each.partition(".")[2] for each in _ATTRIBUTED.split(", ")]
    return exp.select(*_sql_list(", ".join(names))).from_(touched.subquery("touched")).where("touch = 1")


def _sql_list(text: str) -> list[exp.Expr]:
    return [spark_sql(each) for each in text.split(", ")]
