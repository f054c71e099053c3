"""The ledger: what each promotion promised, and what it was worth once labels came, from the record alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlglot import exp

from penstock.monitoring.gates.decide import GATES
from penstock.monitoring.gates.definition import Gate
from penstock.monitoring.gates.promotion import gate_of
from penstock.monitoring.performance.losses import loss
from penstock.monitoring.record.ids import entity_sql
from penstock.monitoring.record.labels import Labels, labels_sql
from penstock.monitoring.record.tables import FEEDBACK, PREDICTIONS, SHADOW, ensure
from penstock.monitoring.words import spark_sql
from penstock.registry.moves import Move, moves_of
from penstock.registry.promote import CHAMPION
from penstock.scoring.functions import literal

COLUMNS = (
    "moved_at", "version", "before", "reason", "gate_id", "promised", "promised_low", "promised_high",
    "realised", "realised_low", "realised_high", "compared", "how",
)  # fmt: skip
"""The columns of the ledger."""
_Z = 1.959963984540054  # of 95 % of the normal distribution: what came is looked at once


@dataclass(frozen=True)
class Term:
    """How long a version was live.

    Attributes:
        at: Since when.
        until: Until when; None for what is live now.
        version: The version.
        before: The version that was live before; None for the first.
        reason: Why it went live.
    """

    at: datetime
    until: datetime | None
    version: int
    before: int | None
    reason: str


def terms_of(moves: Sequence[Move]) -> list[Term]:
    """The terms that an alias's moves made, in order."""
    ends = [*(each.at for each in moves[1:]), None]
    before = [None, *(each.version.version for each in moves)]
    return [
        Term(move.at, end, move.version.version, former, move.reason)
        for move, end, former in zip(moves, ends, before, strict=False)
    ]


def ledger_of(spark: Any, gate: Gate) -> str:
    """The query of a model's ledger, over the promotions that there are: see `ledger_sql`.

    Args:
        spark: A session.
        gate: The model's, with the loss, and where what came true is found.
    """
    for table in (GATES, PREDICTIONS, FEEDBACK):
        ensure(spark, table)
    moves = moves_of(spark, gate.model, CHAMPION)
    return ledger_sql(gate, terms_of(moves))


def ledger_sql(gate: Gate, terms: Sequence[Term]) -> str:
    """The query of one row a promotion, the first included, in order.

    Its columns are `moved_at`, `version`, `before` and `reason` of the promotion; `gate_id` of the gate that it was
    made on, with the gain that this promised and its bounds; and the gain that was realised since, with the bounds of
    95 %, over `compared` rows with a final label. `how` it was found:

    - `paired`, where the version before scored in shadow: the mean difference of both losses for the same entity and
      time, of predictions made in the version's term.
    - `before and after`, else: the mean loss of the live predictions of the version before, made in a time as long
      before the promotion, less that of the version's own. What else changed with time is in it.

    It is NULL where there are no such rows, or the gate does not say what is realised.

    Args:
        gate: The model's.
        terms: Of its versions, in order.
    """
    query = (
        exp.select(*_sql_list(_ANSWER))
        .with_("terms", _terms(terms))
        .with_("scored", _scored(gate))
        .with_("paired", spark_sql(_PAIRED))
        .with_("sides", spark_sql(_SIDES))
        .with_("apart", spark_sql(_APART))
        .from_("terms AS t")
        .join(f"{GATES.name} AS g", on="g.gate_id = t.gate_id", join_type="left")
        .join("paired AS p", on="p.term = t.term", join_type="left")
        .join("apart AS a", on="a.term = t.term", join_type="left")
        .order_by("t.term")
    )
    return query.sql("spark", pretty=True)


_ANSWER = (
    "t.moved_at", "t.version", "t.before", "t.reason", "t.gate_id",
    "g.gain AS promised", "g.gain_low AS promised_low", "g.gain_high AS promised_high",
    "COALESCE(p.gain, a.gain) AS realised",
    f"COALESCE(p.gain - {_Z} * p.se, IF(p.gain IS NULL, a.gain - {_Z} * a.se, NULL)) AS realised_low",
    f"COALESCE(p.gain + {_Z} * p.se, IF(p.gain IS NULL, a.gain + {_Z} * a.se, NULL)) AS realised_high",
    "COALESCE(p.compared, a.compared) AS compared",
    "CASE WHEN p.gain IS NOT NULL THEN 'paired' WHEN a.gain IS NOT NULL THEN 'before and after' END AS how",
)  # fmt: skip
_PAIRED = f"""
SELECT t.term, COUNT(*) AS compared, AVG(old.loss - new.loss) AS gain,
  SQRT(VAR_SAMP(old.loss - new.loss) / COUNT(*)) AS se
FROM terms AS t
JOIN scored AS new ON new.version = t.version AND new.role <> '{SHADOW}'
  AND new.at >= t.moved_at AND (t.until IS NULL OR new.at < t.until)
JOIN scored AS old ON old.version = t.before AND old.role = '{SHADOW}' AND old.keys = new.keys AND old.at = new.at
  AND old.request_id <=> new.request_id
GROUP BY t.term
"""
_SIDES = f"""
SELECT t.term, s.version = t.version AS is_new, COUNT(*) AS n, AVG(s.loss) AS loss, VAR_SAMP(s.loss) AS variance
FROM terms AS t
JOIN scored AS s ON s.role <> '{SHADOW}' AND (
  (s.version = t.version AND s.at >= t.moved_at AND (t.until IS NULL OR s.at < t.until))
  OR (s.version = t.before AND s.at < t.moved_at AND s.at >= t.moved_at - (t.ended - t.moved_at))
)
GROUP BY t.term, s.version = t.version
"""
_APART = """
SELECT term, CAST(SUM(n) AS BIGINT) AS compared, SUM(IF(is_new, -loss, loss)) AS gain, SQRT(SUM(variance / n)) AS se
FROM sides GROUP BY term HAVING COUNT(*) = 2
"""


def _terms(terms: Sequence[Term]) -> exp.Select:
    rows = [
        f"({at}, {_time(each.at)}, {_time(each.until)}, {each.version}, {_or_null(each.before)},"
        f" {literal(each.reason)}, {_or_null(gate_of(each.reason), literal)})"
        for at, each in enumerate(terms)
    ]
    names = "term, moved_at, until, version, before, reason, gate_id"
    # A table of no rows cannot be written, so there is one more that is left out.
    none = "(-1, NULL, NULL, -1, NULL, '', NULL)"
    typed = {
        "term": "INT", "moved_at": "TIMESTAMP", "until": "TIMESTAMP", "version": "INT", "before": "INT",
        "reason": "STRING", "gate_id": "STRING",
    }  # fmt: skip
    columns = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in typed.items())
    ended = "CAST(COALESCE(until, CURRENT_TIMESTAMP()) AS TIMESTAMP) AS ended"
    query = f"SELECT {columns}, {ended} FROM VALUES {', '.join([none, *rows])} AS terms({names}) WHERE term >= 0"
    select = spark_sql(query)
    assert isinstance(select, exp.Select)
    return select


def _scored(gate: Gate) -> exp.Expr:
    """The live and the shadow predictions of the model whose label is final, each with its loss."""
    costs = loss(gate.loss, exp.column("label", "l"), exp.column("prediction", "p"), threshold=gate.threshold)
    query = exp.select(
        "p.version",
        "p.role",
        "p.at",
        "p.request_id",
        spark_sql(f"{entity_sql('p.entity')} AS keys"),
        exp.alias_(costs, "loss"),
    ).from_(f"{PREDICTIONS.name} AS p")
    if gate.realised is None:
        return query.join("(SELECT NULL AS label) AS l", join_type="cross").where("FALSE")
    realised = gate.realised
    labels = Labels(realised.kind, realised.horizon, realised.window or None, model=gate.model)
    known = spark_sql(labels_sql(labels))
    assert isinstance(known, exp.Select)
    query = query.join(known.subquery("l"), on="l.prediction_id = p.prediction_id")
    return query.where(exp.column("model", "p").eq(gate.model), "l.matured", "l.label IS NOT NULL")


def _time(at: datetime | None) -> str:
    return "NULL" if at is None else f"TIMESTAMP {literal(at.isoformat(' '))}"


def _or_null(value: Any, written: Any = str) -> str:
    return "NULL" if value is None else str(written(value))


def _sql_list(texts: Sequence[str]) -> list[exp.Expr]:
    return [spark_sql(each) for each in texts]
