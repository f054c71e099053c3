"""When a row is known, as declared in `meta`: `known_at`, `delay`, or `known_at: always`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.semantic.durations import Duration, parse_duration
from penstock.semantic.templates import parse_expression

if TYPE_CHECKING:
    from penstock.manifest.model import Metric, SemanticModel

_KEYS = ("known_at", "delay", "tie_break", "freshness")
_HOW = (
    "declare in meta: {penstock: {known_at: <SQL expression over the model's columns>}}, "
    "{penstock: {delay: 1 hour}} after the event, or {penstock: {known_at: always}} for timeless reference data"
)


@dataclass(frozen=True)
class Knowledge:
    """What a `meta` says: `always`, an expression, or a delay in microseconds."""

    always: bool = False
    known_at: exp.Expr | None = None
    delay: int = 0


def knowledge_of(model: SemanticModel, metric: Metric | None = None) -> Knowledge:
    """When rows of `model` are known, or, where it says so itself, when they are known to `metric`.

    Raises:
        InvalidDefinitionError: Neither of them says so, or one contradicts itself.
    """
    own = _declared(metric.meta, f"metric {metric.name}") if metric else None
    found = own or _declared(model.meta, f"semantic model {model.name}")
    if found is None:
        raise InvalidDefinitionError(
            "it is not declared when a row is known, so nothing can be said as of a time",
            where=f"semantic model {model.name}" + (f", metric {metric.name}" if metric else ""),
            fix=_HOW,
        )
    return found


def declares(meta: Mapping[str, Any]) -> bool:
    """Whether a `meta` says anything of when rows are known."""
    section = meta.get("penstock")
    return isinstance(section, Mapping) and bool({"known_at", "delay"} & set(section))


def tie_break_of(model: SemanticModel) -> exp.Expr:
    """What tells rows of equal times apart: the declared `tie_break`, else the primary or unique key.

    Raises:
        InvalidDefinitionError: There is none, so that the newest row would be a matter of luck.
    """
    where = f"semantic model {model.name}"
    declared = _section(model.meta, where).get("tie_break")
    if declared is not None:
        return parse_expression(str(declared), where=f"{where}, tie_break")
    for kind in ("primary", "unique"):
        for entity in model.entities:
            if entity.type == kind:
                return parse_expression(entity.expr, where=f"{where}, entity {entity.name}")
    raise InvalidDefinitionError(
        "it has no primary or unique entity, so rows of equal times can't be told apart, and the newest is not defined",
        where=where,
        fix="declare the key, or meta: {penstock: {tie_break: <SQL expression>}}",
    )


def freshness_of(model: SemanticModel) -> Duration | None:
    """How old the newest known row of a model may be: its declared `freshness`; None where nothing is promised.

    Raises:
        InvalidDefinitionError: It is no length of time.
    """
    where = f"semantic model {model.name}"
    promised = _section(model.meta, where).get("freshness")
    return None if promised is None else _length(promised, f"{where}, freshness")


def _length(text: object, where: str) -> Duration:
    try:
        return parse_duration(str(text), where=where)
    except InvalidRequestError as bad:
        raise InvalidDefinitionError(bad.what, where=bad.where, near=bad.near, fix=bad.fix) from bad


def _declared(meta: Mapping[str, Any], where: str) -> Knowledge | None:
    section = _section(meta, where)
    known_at, delay = section.get("known_at"), section.get("delay")
    if known_at is not None and delay is not None:
        raise InvalidDefinitionError("both known_at and delay are given", where=where, fix="keep one of them")
    if delay is not None:
        return Knowledge(delay=_length(delay, f"{where}, delay").microseconds)
    if known_at is None:
        return None
    if not isinstance(known_at, str):
        raise InvalidDefinitionError(f"known_at is {known_at!r}, not a text", where=where, fix=_HOW)
    if known_at.strip().lower() == "always":
        return Knowledge(always=True)
    try:
        return Knowledge(known_at=parse_expression(known_at, where=f"{where}, known_at"))
    except InvalidRequestError as bad:
        raise InvalidDefinitionError(bad.what, where=bad.where, near=bad.near, fix=bad.fix) from bad


def _section(meta: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    section = meta.get("penstock") or {}
    if not isinstance(section, Mapping):
        raise InvalidDefinitionError(f"meta.penstock is {section!r}, not a mapping", where=where, fix=_HOW)
    # other rooms have keys of their own here; only a near miss of one of ours is a mistake
    for key in section:
        if key not in _KEYS and _bare(key) in map(_bare, _KEYS):
            raise UnknownNameError.of("key", key, _KEYS, where=f"{where}, meta.penstock")
    return section


def _bare(key: str) -> str:
    """A key without what is easily mistaken: case, dashes, and an s too many or too few."""
    return key.lower().replace("-", "").replace("_", "").rstrip("s")
