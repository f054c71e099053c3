"""What a project declares of a model's loop: `meta: {penstock: {loop: …}}` of the dbt node that trains the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.monitoring.gates.definition import Gate
from penstock.semantic.durations import parse_duration

_KEYS = ("every", "labels", "drift", "upstream")
_TRIGGERS = _KEYS[:3]
_LABELS = ("new", "in", "label")
_FIX = "loop: {every: 7 days, labels: 1000, drift: a dbt test}, any of them"


@dataclass(frozen=True)
class Labels:
    """Which labels count, and how many new ones are enough.

    Attributes:
        new: How many.
        relation: The dbt model whose rows have them.
        label: The column; a row without it does not count.
    """

    new: int
    relation: str
    label: str


@dataclass(frozen=True)
class Loop:
    """When a model is trained again.

    Attributes:
        every: After how long; None: not by time.
        labels: After how many new labels; None: not by them.
        drift: The dbt test whose failure says that data have drifted; empty: not by drift.
        upstream: Whether all that the training node and the gate read is built too, and not those two tables alone.
    """

    every: timedelta | None = None
    labels: Labels | None = None
    drift: str = ""
    upstream: bool = True


def parse_loop(declared: Any, gate: Gate | None, *, where: str) -> Loop:
    """Read a declaration.

    Args:
        declared: The mapping in YAML.
        gate: The gate of the same node.
        where: The node's file, for errors.

    Raises:
        UnknownNameError: when it has a key that there is not.
        InvalidDefinitionError: when a value is wrong, nothing starts the loop, or there is no gate.

    Example:
        >>> gate = Gate("delay", "flights_seen", "is_late", "at", "log_loss")
        >>> parse_loop({"labels": 1000}, gate, where="models/delay.yml").labels
        Labels(new=1000, relation='flights_seen', label='is_late')
    """
    where = f"{where}, loop"
    if not isinstance(declared, Mapping):
        raise InvalidDefinitionError(f"loop is {declared!r}, not a mapping", where=where, fix=_FIX)
    _known(declared, _KEYS, where)
    if gate is None:
        fix = "gate: {evaluate: …, label: …, time: …, loss: …} beside it: it decides what goes live"
        raise InvalidDefinitionError("a loop without a gate", where=where, fix=fix)
    if not any(declared.get(key) is not None for key in _TRIGGERS):
        raise InvalidDefinitionError("nothing starts the loop", where=where, fix=_FIX)
    drift, upstream = declared.get("drift"), declared.get("upstream", True)
    if drift is not None and not (isinstance(drift, str) and drift):
        raise InvalidDefinitionError(f"drift is {drift!r}", where=where, fix="the name of a dbt test")
    if not isinstance(upstream, bool):
        raise InvalidDefinitionError(f"upstream is {upstream!r}", where=where, fix="true or false")
    return Loop(
        every=_every(declared.get("every"), where),
        labels=_labels(declared.get("labels"), gate, where),
        drift=drift or "",
        upstream=upstream,
    )


def _every(given: Any, where: str) -> timedelta | None:
    if given is None:
        return None
    try:
        length = parse_duration(str(given), where=f"{where}, every")
    except InvalidRequestError as bad:
        raise InvalidDefinitionError(bad.what, where=bad.where, near=bad.near, fix=bad.fix) from bad
    if not length.microseconds:
        raise InvalidDefinitionError(f"every is {given!r}", where=where, fix="every: 7 days")
    return timedelta(microseconds=length.microseconds)


def _labels(given: Any, gate: Gate, where: str) -> Labels | None:
    if given is None:
        return None
    where = f"{where}, labels"
    fix = "labels: 1000, or {new: 1000, in: a dbt model, label: its column}"
    told = {"new": given} if not isinstance(given, Mapping) else given
    _known(told, _LABELS, where)
    new = told.get("new")
    if not isinstance(new, int) or isinstance(new, bool) or new < 1:
        raise InvalidDefinitionError(f"the number of new labels is {new!r}", where=where, fix=fix)
    names = {"in": told.get("in", gate.evaluate), "label": told.get("label", gate.label)}
    for key, name in names.items():
        if not (isinstance(name, str) and name):
            raise InvalidDefinitionError(f"{key} is {name!r}", where=where, fix=fix)
    return Labels(new, names["in"], names["label"])


def _known(given: Mapping[Any, Any], keys: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in keys:
            raise UnknownNameError.of("key", str(key), keys, where=where)
