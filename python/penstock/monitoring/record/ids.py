"""Ids that follow from what they name, the same in Python and in Spark's SQL: what is logged again has the same id."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from penstock.errors import InvalidRequestError

_PREDICTIONS = uuid.uuid5(uuid.NAMESPACE_URL, "penstock:prediction")
_FEEDBACK = uuid.uuid5(uuid.NAMESPACE_URL, "penstock:feedback")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ABSENT = "-"


def prediction_id(
    model: str, version: int, entity: Mapping[str, str | int], at: datetime, request_id: str | None = None
) -> str:
    """The id of a prediction, as `log_predictions` gives it.

    Args:
        model: The registered name.
        version: The version that scored.
        entity: The keys of what is predicted, by their names; in any order.
        at: The time of the prediction, with its time zone.
        request_id: The request that asked for it, if there is one.

    Raises:
        InvalidRequestError: when the time has no time zone.

    Example:
        >>> prediction_id("delay", 3, {"flight": 7}, datetime(2026, 1, 1, tzinfo=UTC))
        'c099df9a-34a0-50c7-aa5d-85e1b1d0fe7f'
    """
    if at.utcoffset() is None:
        raise InvalidRequestError(
            f"the time {at} has no time zone", where="at", fix="give it one: datetime(…, tzinfo=UTC)"
        )
    keys = "".join(_part(name) + _part(str(entity[name])) for name in sorted(entity))
    micros = (at - _EPOCH) // timedelta(microseconds=1)
    name = "".join(_part(each) for each in (model, str(version), keys, str(micros), request_id))
    return str(uuid.uuid5(_PREDICTIONS, name))


def prediction_id_sql() -> str:
    """The same of the columns of `ml.predictions`, as SQL of Spark."""
    parts = ["`model`", "`version`", _keys_sql("`entity`"), "UNIX_MICROS(`at`)", "`request_id`"]
    return _uuid5_sql(_PREDICTIONS, parts)


def feedback_id_sql() -> str:
    """An id of the content of a row of `ml.feedback`, as SQL of Spark."""
    parts = ["`prediction_id`", _keys_sql("`entity`"), "`kind`", "`value`", "`class`", "UNIX_MICROS(`event_at`)"]
    return _uuid5_sql(_FEEDBACK, [*parts, "UNIX_MICROS(`arrived_at`)", "`source`"])


def entity_sql(column: str) -> str:
    """A map of keys as what compares: Spark does not compare maps."""
    return f"ARRAY_SORT(MAP_ENTRIES({column}))"


def _part(text: str | None) -> str:
    """With its length, so that two rows of parts never read the same."""
    return _ABSENT if text is None else f"{len(text.encode())}:{text}"


def _part_sql(text: str) -> str:
    text = f"CAST({text} AS STRING)"
    return f"COALESCE(CONCAT(OCTET_LENGTH({text}), ':', {text}), '{_ABSENT}')"


def _keys_sql(entity: str) -> str:
    key = f"CONCAT({_part_sql('k.key')}, {_part_sql('k.value')})"
    return f"ARRAY_JOIN(TRANSFORM({entity_sql(entity)}, k -> {key}), '')"


def _uuid5_sql(namespace: uuid.UUID, parts: list[str]) -> str:
    name = f"CONCAT({', '.join(map(_part_sql, parts))})"
    digest = f"SHA1(CONCAT(X'{namespace.hex}', CAST({name} AS BINARY)))"
    # In a lambda the digest is named once: Spark computes it once, and the statement stays short.
    variant = "TRANSLATE(SUBSTR(h, 17, 1), '0123456789abcdef', '89ab89ab89ab89ab')"
    groups = f"SUBSTR(h, 1, 8), SUBSTR(h, 9, 4), CONCAT('5', SUBSTR(h, 14, 3)), CONCAT({variant}, SUBSTR(h, 18, 3))"
    return f"TRANSFORM(ARRAY({digest}), h -> CONCAT_WS('-', {groups}, SUBSTR(h, 21, 12)))[0]"
