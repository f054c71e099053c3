"""Labels: what comes true after a row's time, once it has settled.

`carrier.cancelled over next 7 days settled after 2 days` at a row's time T is the metric over the events of the seven
days from T on, as it is known two days after their end. Until then the label of the row is immature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, InvalidRequestError
from penstock.semantic.durations import Duration, parse_duration
from penstock.semantic.time_range import moment_of
from penstock.training_sets.features import check_parts
from penstock.training_sets.shapes import Shape, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.semantic.request import Dialect
    from penstock.training_sets.knowledge import Clock

_FORM = "'carrier.cancelled over next 7 days settled after 2 days as was_cancelled'; the last two parts may be left out"
_TEXT = re.compile(
    r"(?P<entity>[^\s.]+)\.(?P<metric>[^\s.]+)\s+over\s+next\s+(?P<horizon>\S+\s+\S+)"
    r"(?:\s+settled\s+after\s+(?P<settled>\S+\s+\S+))?(?:\s+by\s+(?P<by>\S+))?(?:\s+as\s+(?P<name>\S+))?",
    re.IGNORECASE,
)
_EPOCH = moment_of("1970-01-01", where="")


@dataclass(frozen=True)
class Label:
    """A metric by entity over the `horizon` after each row's time.

    Args:
        text: As it was written.
        name: The column's name.
        entity: The entity of the spine.
        metric: The metric.
        horizon: How far it looks ahead.
        settled: How long after the end of the horizon it is final; by default the delay of the metric's rows.
        by: The shape of SQL that is asked for; by default the one of the least cost.
    """

    text: str
    name: str
    entity: str
    metric: str
    horizon: Duration
    settled: Duration | None = None
    by: Shape | None = None


@dataclass(frozen=True)
class Matured:
    """From when on the label of a row at time T is final: T + `after`, once the rows of a fact are known until then.

    Args:
        model: The semantic model of the fact.
        clock: The times of its rows.
        after: Microseconds from the row's time.
    """

    model: str
    clock: Clock
    after: int


def parse_label(text: str) -> Label:
    """Parse one label.

    Raises:
        InvalidRequestError: It is none.

    Example:
        >>> parse_label("carrier.cancelled over next 7 days").name
        'carrier__cancelled__next_7d'
    """
    where = f"label '{text}'"
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise InvalidRequestError("this is no label", where=where, fix=f"write one like {_FORM}")
    entity, metric = match["entity"].lower(), match["metric"].lower()
    check_parts((entity, metric, match["name"]), where=where, fix=f"write a label like {_FORM}")
    horizon = parse_duration(match["horizon"], where=where)
    if horizon.count == 0:
        raise InvalidRequestError("nothing happens over no time at all", where=where, fix="give a length above 0")
    settled = parse_duration(match["settled"], where=where) if match["settled"] else None
    name = match["name"] or f"{entity}__{metric}__next_{horizon.short}"
    return Label(text, name, entity, metric, horizon, settled, shape_of(match["by"], where))


def settling_time(label: Label, clocks: Iterable[Clock]) -> int:
    """Microseconds after the end of its horizon at which a label is final.

    Raises:
        InvalidDefinitionError: It is not said: a row's own column says when it is known, and that may be any time.
    """
    if label.settled is not None:
        return label.settled.microseconds
    clocks = list(clocks)
    if any(clock.known_at is not None for clock in clocks):
        raise InvalidDefinitionError(
            f"the rows of '{label.metric}' say themselves when they are known: it is not said when the label is final",
            where=f"label '{label.text}'",
            fix=f"add how long to wait for late rows: '{label.text} settled after 2 days'",
        )
    return max(clock.delay for clock in clocks)


def window_ahead(label: Label, *, inclusive: bool) -> Duration:
    """The length of the window that ends with the horizon.

    A feature counts what happened before T, so the label begins with T itself; an inclusive feature counts T, so the
    label begins after it. No event is in both, and none between them is in neither.
    """
    whole = label.horizon.microseconds
    return Duration(whole - 1, "microsecond") if inclusive else label.horizon


def matured(
    wanted: Iterable[tuple[Matured, exp.Query]],
    time: exp.Expr,
    *,
    until: str | None,
    inclusive: bool,
    dialect: Dialect,
) -> list[exp.Expr]:
    """Conditions on a row's time, in microseconds, under which all its labels are final.

    Args:
        wanted: What each label waits for, with a query of the last moment known to that fact.
        time: The row's time.
        until: ISO text of the moment until which everything is known; by default what the facts themselves hold.
        inclusive: Whether what becomes known at the very time asked about counts.
        dialect: The dialect compiled to.
    """
    compare = exp.LT if inclusive and until is None else exp.LTE
    conditions: dict[str, exp.Expr] = {}
    for each, newest in wanted:
        known: exp.Expr = exp.Subquery(this=newest)
        if until is not None:
            moment = moment_of(until, where="labels_until")
            known = exp.Literal.number(round((moment - _EPOCH).total_seconds() * 1_000_000))
        final = exp.Sub(this=known, expression=exp.Literal.number(each.after))
        condition = compare(this=time.copy(), expression=final)
        conditions[condition.sql(dialect)] = condition
    return list(conditions.values())
