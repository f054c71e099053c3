"""The SQL of labels: for each prediction, what came true of it as far as it is known at some instant.

Feedback that names a prediction is about that one, whenever it happened. Feedback that names an entity is about the
last prediction of each model for that entity, made at most a window before: so a canary and the version beside it share
what comes true, and each version in shadow, which decided nothing, gets all of it. Of what is about one prediction,
what arrived last is the label.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlglot import exp, parse_one

from penstock.errors import InvalidRequestError
from penstock.monitoring.ids import entity_sql
from penstock.monitoring.record_tables import FEEDBACK, PREDICTIONS, SHADOW
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
        _with_attributed(exp.select(), labels)
        .with_(
            "latest",
            _sql(f"SELECT prediction_id, MAX_BY({_WON}, {_ORDER}) AS won FROM attributed GROUP BY prediction_id"),
        )
        .select(
            "p.prediction_id",
            "won.value AS label",
            "won.class AS class",
            "won.event_at AS event_at",
            "won.arrived_at AS arrived_at",
            _sql(f"({age}) / 1E6 AS age"),
            _sql(f"({age}) >= {labels.horizon_us} AS matured"),
            _sql("won.event_at < p.at AS skewed"),
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
        .select(*map(_sql, columns), _sql(reason))
        .from_("feedback AS f")
        .join("attributed", on="attributed.feedback_id = f.feedback_id", join_type="left anti")
    )
    return query.sql("spark", pretty=True)


_WON = "STRUCT(value, class, event_at, arrived_at)"
_ATTRIBUTED = "p.prediction_id, f.feedback_id, f.value, f.class, f.event_at, f.arrived_at"


def _with_attributed(query: exp.Select, labels: Labels) -> exp.Select:
    """A query with what had arrived (`feedback`), what was predicted, and which of one is about which of the other."""
    predictions = exp.select("*", _sql(f"{entity_sql('entity')} AS keys"), exp.alias_(labels.instant, "as_of"))
    predictions = predictions.from_(PREDICTIONS.name).where(exp.column("at") <= labels.instant)
    if labels.model is not None:
        predictions = predictions.where(exp.column("model").eq(labels.model))
    feedback = exp.select("*", _sql(f"{entity_sql('entity')} AS keys")).from_(FEEDBACK.name)
    feedback = feedback.where(exp.column("arrived_at") <= labels.instant, exp.column("kind").eq(labels.kind))
    named = exp.select(*_sql_list(_ATTRIBUTED)).from_("feedback AS f")
    named = named.join("predictions AS p", on="p.prediction_id = f.prediction_id")
    return (
        query.with_("predictions", predictions)
        .with_("feedback", feedback)
        .with_("attributed", exp.union(named, _last_touch(labels), distinct=False))
    )


def _last_touch(labels: Labels) -> exp.Select:
    per = f"f.feedback_id, p.model, IF(p.role = '{SHADOW}', p.version, NULL)"
    last = f"ROW_NUMBER() OVER (PARTITION BY {per} ORDER BY p.at DESC, p.prediction_id DESC) AS touch"
    within = f"UNIX_MICROS(f.event_at) - UNIX_MICROS(p.at) BETWEEN 1 AND {labels.window_us}"
    touched = (
        exp.select(*_sql_list(_ATTRIBUTED), _sql(last))
        .from_("feedback AS f")
        .join("predictions AS p", on=_sql(f"p.keys = f.keys AND {within}"))
        .where("f.prediction_id IS NULL")
    )
    names = [each.partition(".")[2] for each in _ATTRIBUTED.split(", ")]
    return exp.select(*_sql_list(", ".join(names))).from_(touched.subquery("touched")).where("touch = 1")


def _sql(text: str) -> exp.Expr:
    return parse_one(text, dialect="spark")


def _sql_list(text: str) -> list[exp.Expr]:
    return [_sql(each) for each in text.split(", ")]
