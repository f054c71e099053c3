"""How often an alert is told again: `meta: {penstock: {alert: …}}` of a dbt test, or of all in `dbt_project.yml`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.manifest.meta import declared_in
from penstock.semantic.durations import parse_duration

_KEYS = ("repeat", "grown", "surer")
_FIX = "alert: {repeat: 1 day, grown: 1.5, surer: 0.001}, each of them as wanted"


@dataclass(frozen=True)
class Rules:
    """When an alert that is open is told again.

    Attributes:
        repeat: After so long, whatever has become of it.
        grown: When its effect is so many times that of which was told.
        surer: When its p-value is so many times that of which was told, or less.
    """

    repeat: timedelta = timedelta(days=1)
    grown: float = 1.5
    surer: float = 0.001


def rules_in(meta: Mapping[str, Any] | None, *, where: str) -> Rules:
    """The rules that the meta of a test declares.

    Args:
        meta: Its `config.meta`.
        where: For errors.

    Raises:
        UnknownNameError: when it has a key that there is not.
        InvalidDefinitionError: when a value is wrong.

    Example:
        >>> rules_in({"penstock": {"alert": {"repeat": "7 days"}}}, where="test t").repeat.days
        7
    """
    given = declared_in(meta, "alert")
    if given is None:
        return Rules()
    where = f"{where}, alert"
    if not isinstance(given, Mapping):
        raise InvalidDefinitionError(f"alert is {given!r}, not a mapping", where=where, fix=_FIX)
    for key in given:
        if key not in _KEYS:
            raise UnknownNameError.of("key", str(key), _KEYS, where=where, fix=_FIX)
    own: dict[str, Any] = {}
    if "repeat" in given:
        try:
            own["repeat"] = timedelta(
                microseconds=parse_duration(str(given["repeat"]), where=f"{where}, repeat").microseconds
            )
        except InvalidRequestError as bad:
            raise InvalidDefinitionError(bad.what, where=bad.where, near=bad.near, fix=bad.fix) from bad
    for key, low, high in (("grown", 1, math.inf), ("surer", 0, 1)):
        if key in given:
            value = given[key]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low < value < high:
                fix = f"a number above {low}{'' if high == math.inf else f' and below {high}'}"
                raise InvalidDefinitionError(f"{key} is {value!r}", where=where, fix=fix)
            own[key] = float(value)
    return Rules(**own)
