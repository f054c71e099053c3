"""The small language of features: `carrier.on_time_rate over 7 days as punctuality`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from penstock.errors import InvalidRequestError
from penstock.semantic.durations import Duration, parse_duration
from penstock.training_sets.shapes import Shape, shape_of

_FORMS = (
    "'carrier.on_time_rate over 7 days', 'carrier.flights to date', 'origin.weather.temperature within 6 hours' "
    "or 'plane.planes.seats', each optionally with 'as name', metrics also with 'by shape'"
)
_NAME = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_TAIL = re.compile(
    r"(?P<what>\S+)(?P<how>\s+(?:over|within)\s+(?P<length>.+?)|\s+to\s+date)?(?:\s+by\s+(?P<by>\S+))?(?:\s+as\s+(?P<name>\S+))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class MetricFeature:
    """A metric by entity over the `window` before each row's time; over all that came before where it is None.

    Args:
        text: As it was written.
        name: The column's name.
        entity: The entity of the spine.
        metric: The metric.
        window: How far it looks back.
        by: The shape of SQL that is asked for; by default the one of the least cost.
    """

    text: str
    name: str
    entity: str
    metric: str
    window: Duration | None
    by: Shape | None = None


@dataclass(frozen=True)
class ColumnFeature:
    """The newest value of a column of a semantic model, not older than `within` where it is given."""

    text: str
    name: str
    entity: str
    model: str
    column: str
    within: Duration | None


def parse_feature(text: str) -> MetricFeature | ColumnFeature:
    """Parse one feature.

    Raises:
        InvalidRequestError: It is none, with the place and the forms that there are.

    Example:
        >>> parse_feature("carrier.on_time_rate over 7 days").name
        'carrier__on_time_rate__7d'
    """
    where = f"feature '{text}'"
    match = _TAIL.fullmatch(text.strip())
    if match is None:
        raise InvalidRequestError("this is no feature", where=where, fix=f"write one like {_FORMS}")
    parts = match["what"].split(".")
    check_parts((*parts, match["name"]), where=where, fix=f"write a feature like {_FORMS}")
    how = (match["how"] or "").split(None, 1)
    verb = how[0].lower() if how else ""
    if verb == "over" and (match["length"] or "").lower().startswith("next"):
        raise InvalidRequestError("a feature does not look ahead", where=where, fix="give it among the labels")
    length = parse_duration(match["length"], where=where) if match["length"] else None
    if length is not None and length.count == 0:
        raise InvalidRequestError(f"nothing lies {verb} no time at all", where=where, fix="give a length above 0")
    if len(parts) == 2:
        return _metric(text, parts, verb, length, match["name"], shape_of(match["by"], where))
    if len(parts) == 3:
        if match["by"] is not None:
            raise InvalidRequestError(
                "the newest value is computed in one way", where=where, fix=f"leave out 'by {match['by']}'"
            )
        return _column(text, parts, verb, length, match["name"])
    raise InvalidRequestError(
        "a feature has two parts, entity.metric, or three, entity.semantic_model.column",
        where=where,
        fix=f"write one like {_FORMS}",
    )


def check_parts(parts: Iterable[str | None], *, where: str, fix: str) -> None:
    """Refuse what is no name among the parts of a feature or a label; None is a part that was left out."""
    for part in parts:
        if part is not None and not _NAME.match(part):
            raise InvalidRequestError(f"'{part}' is no name", where=where, fix=fix)


def _metric(
    text: str, parts: list[str], verb: str, length: Duration | None, name: str | None, by: Shape | None
) -> MetricFeature:
    entity, metric = (part.lower() for part in parts)
    if verb not in ("over", "to"):
        raise InvalidRequestError(
            "a metric needs the span of time it is over",
            where=f"feature '{text}'",
            fix=f"write '{entity}.{metric} over 7 days' or '{entity}.{metric} to date'",
        )
    span = length.short if length else "to_date"
    return MetricFeature(text, name or f"{entity}__{metric}__{span}", entity, metric, length, by)


def _column(text: str, parts: list[str], verb: str, length: Duration | None, name: str | None) -> ColumnFeature:
    entity, model, column = parts[0].lower(), parts[1].lower(), parts[2]
    if verb not in ("", "within"):
        raise InvalidRequestError(
            "the newest value of a column is not taken over a span of time",
            where=f"feature '{text}'",
            fix=f"write '{entity}.{model}.{column} within 6 hours' for its oldest age, or ask for a metric",
        )
    return ColumnFeature(text, name or f"{entity}__{model}__{column}", entity, model, column, length)
