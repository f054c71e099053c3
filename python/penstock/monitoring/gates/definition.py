"""What a project declares of a model's gate: `meta: {penstock: {gate: …}}` of the dbt node that trains the model."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.monitoring.behaviour.definition import Check, checks_in
from penstock.monitoring.gates.always_valid import TUNED_FOR
from penstock.monitoring.performance.losses import LOSSES
from penstock.semantic.durations import parse_duration

_FIX = "gate: {evaluate: a dbt model, label: its column, time: its column, loss: log_loss, …}"
_NUMBERS = ("threshold", "better_by", "alpha", "no_slice_worse_than")
_COUNTS = ("tuned_for", "min_rows", "min_slice_rows")
_TEXTS = ("model", "evaluate", "label", "time", "loss", "matured")
_LISTS = ("slices", "tests")
_NEEDED = ("evaluate", "label", "time", "loss")
_KEYS = (*_TEXTS, *_NUMBERS, *_COUNTS, *_LISTS, "calibrated", "behaviour", "approval", "realised")
REQUIRED = "required"


@dataclass(frozen=True)
class Realised:
    """Where the record has what came true of the model's predictions.

    Attributes:
        kind: Of the feedback.
        horizon: How old a prediction is when its label is final: '6 hours'.
        window: How long after a prediction an event of its entity still counts; the horizon if empty.
    """

    kind: str
    horizon: str
    window: str = ""


@dataclass(frozen=True)
class Gate:
    """The conditions under which a version of a model may go live.

    Attributes:
        model: The registered model.
        evaluate: The dbt model of the rows on which both versions are scored: inputs, label and slices are its columns.
        label: The column of what came true; a row without it does not count.
        time: The column of a row's time, by which rows that a version was trained on are left out.
        loss: What a prediction costs, one of `losses.LOSSES`.
        matured: A column that says which labels are final; all that are there, if empty.
        threshold: From which probability on a score says 1.
        better_by: The gain that the challenger has to have more than, in units of the loss: the lower bound counts.
            Below 0 it says how much worse it may be.
        alpha: The share of cases in which the bounds miss, however often the gate is asked.
        tuned_for: The number of rows at which the bounds are narrowest.
        slices: The columns by whose values the two are compared, too.
        no_slice_worse_than: By how much the challenger may lose more in a slice, in units of the loss; None: by any.
        min_rows: How many rows have to be compared.
        min_slice_rows: How many rows a slice needs to be judged.
        max_ece: The expected calibration error that the challenger may have; None: any.
        behaviour: How the challenger has to behave on these rows.
        tests: The dbt tests that have to have passed.
        approval: Who may approve, `required` for anybody; none needed where it is empty.
        realised: Where the ledger finds what the promotion was worth; None where it is not said.
    """

    model: str
    evaluate: str
    label: str
    time: str
    loss: str
    matured: str = ""
    threshold: float = 0.5
    better_by: float = 0.0
    alpha: float = 0.05
    tuned_for: int = TUNED_FOR
    slices: tuple[str, ...] = ()
    no_slice_worse_than: float | None = None
    min_rows: int = 1000
    min_slice_rows: int = 100
    max_ece: float | None = None
    behaviour: tuple[Check, ...] = ()
    tests: tuple[str, ...] = ()
    approval: tuple[str, ...] = ()
    realised: Realised | None = None

    def as_text(self) -> str:
        """All that a decision depends on, as JSON that compares."""
        return json.dumps({k: v for k, v in asdict(self).items() if k != "realised"}, sort_keys=True)


def parse_gate(declared: Any, *, model: str, where: str) -> Gate:
    """Read a declaration.

    Args:
        declared: The mapping in YAML.
        model: The node's name, the model of a gate that names none.
        where: The node's file, for errors.

    Raises:
        UnknownNameError: when it has a key, or names a loss, that there is not.
        InvalidDefinitionError: when a key is missing, a value is wrong, or two of them contradict each other.

    Example:
        >>> declared = {"evaluate": "flights_seen", "label": "is_late", "time": "at", "loss": "log_loss"}
        >>> parse_gate(declared, model="delay", where="models/delay.yml").min_rows
        1000
    """
    where = f"{where}, gate"
    if not isinstance(declared, Mapping):
        raise InvalidDefinitionError(f"gate is {declared!r}, not a mapping", where=where, fix=_FIX)
    for key in declared:
        if key not in _KEYS:
            raise UnknownNameError.of("key", str(key), _KEYS, where=where)
    for key in _NEEDED:
        if key not in declared:
            raise InvalidDefinitionError(f"{key} is missing", where=where, fix=_FIX)
    given: dict[str, Any] = {"model": model, **declared}
    _check_values(given, where)
    own = {key: given[key] for key in (*_TEXTS, *_COUNTS) if key in given}
    own |= {key: float(given[key]) for key in _NUMBERS if key in given}
    own |= {key: tuple(given[key]) for key in _LISTS if key in given}
    approval = given.get("approval")
    gate = Gate(
        **own,
        max_ece=_max_ece(given.get("calibrated"), where),
        behaviour=checks_in(given.get("behaviour", ()), where=f"{where}, behaviour"),
        approval=() if approval is None else (approval,) if isinstance(approval, str) else tuple(approval),
        realised=_realised(given.get("realised"), where),
    )
    _agree(gate, where)
    return gate


def _check_values(given: Mapping[str, Any], where: str) -> None:
    def wrong(key: str, fix: str) -> InvalidDefinitionError:
        return InvalidDefinitionError(f"{key} is {given[key]!r}", where=where, fix=fix)

    for key in _TEXTS:
        if key in given and not (isinstance(given[key], str) and given[key]):
            raise wrong(key, "a name")
    for key in _NUMBERS:
        if key in given and not _is_number(given[key]):
            raise wrong(key, "a number")
    for key in _COUNTS:
        if key in given and not (isinstance(given[key], int) and _is_number(given[key]) and given[key] > 0):
            raise wrong(key, "a whole number from 1 on")
    for key in (*_LISTS, "approval"):
        if key == "approval" and isinstance(given.get(key), str):
            continue
        if key in given and not _is_names(given[key]):
            raise wrong(key, "a list of names")


def _agree(gate: Gate, where: str) -> None:
    if not re.fullmatch(r"\w+", gate.model, re.ASCII):
        raise InvalidDefinitionError(
            f"'{gate.model}' cannot be a model's name", where=where, fix="letters, digits and _"
        )
    if gate.loss not in LOSSES:
        raise UnknownNameError.of("loss", gate.loss, LOSSES, where=where)
    for key, low, high in (("alpha", 0, 1), ("threshold", 0, 1)):
        if not low < getattr(gate, key) < high:
            raise InvalidDefinitionError(f"{key} is {getattr(gate, key)}", where=where, fix=f"between {low} and {high}")
    if gate.no_slice_worse_than is not None:
        if gate.no_slice_worse_than < 0:
            fix = "0 or more: by how much the challenger may lose more in a slice"
            raise InvalidDefinitionError(f"no_slice_worse_than is {gate.no_slice_worse_than}", where=where, fix=fix)
        if not gate.slices:
            fix = "slices: the columns whose values are looked at, each by itself"
            raise InvalidDefinitionError("no_slice_worse_than without slices", where=where, fix=fix)
    twice = [name for at, name in enumerate(gate.slices) if name.lower() in map(str.lower, gate.slices[:at])]
    if twice:
        raise InvalidDefinitionError(f"the slice '{twice[0]}' is named twice", where=where, fix="name it once")


def _max_ece(given: Any, where: str) -> float | None:
    if given is None:
        return None
    fix = "calibrated: {max_ece: 0.05}, the expected calibration error that the challenger may have"
    if not isinstance(given, Mapping):
        raise InvalidDefinitionError(f"calibrated is {given!r}", where=where, fix=fix)
    for key in given:
        if key != "max_ece":
            raise UnknownNameError.of("key", str(key), ["max_ece"], where=f"{where}, calibrated", fix=fix)
    if not _is_number(given.get("max_ece")) or not 0 <= given["max_ece"] <= 1:
        raise InvalidDefinitionError(f"max_ece is {given.get('max_ece')!r}", where=where, fix=fix)
    return float(given["max_ece"])


def _realised(given: Any, where: str) -> Realised | None:
    if given is None:
        return None
    where, fix = (
        f"{where}, realised",
        "realised: {kind: the feedback's kind, horizon: 7 days}, with window if it differs",
    )
    keys = ("kind", "horizon", "window")
    if not isinstance(given, Mapping) or not {"kind", "horizon"} <= set(given):
        raise InvalidDefinitionError(f"realised is {given!r}", where=where, fix=fix)
    for key in given:
        if key not in keys:
            raise UnknownNameError.of("key", str(key), keys, where=where, fix=fix)
    for key in keys[1:]:
        try:
            if key in given:
                parse_duration(str(given[key]), where=f"{where}, {key}")
        except InvalidRequestError as bad:
            raise InvalidDefinitionError(bad.what, where=bad.where, near=bad.near, fix=bad.fix) from bad
    return Realised(*(str(given.get(key, "")) for key in keys))


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)


def _is_names(given: Any) -> bool:
    return isinstance(given, list | tuple) and all(isinstance(each, str) and each for each in given)
