"""What `meta` declares of a model's rows: when they are known (`known_at`, `delay`), and of what they are versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.semantic.durations import Duration, parse_duration
from penstock.semantic.templates import parse_expression

if TYPE_CHECKING:
    from penstock.manifest.model import Metric, SemanticModel

_KEYS = ("known_at", "delay", "tie_break", "version_of", "deleted", "freshness")
_NEAR = (
    "knownat", "delay", "tiebreak", "version", "versionof", "versionsof", "delete", "deleted", "isdeleted", "fresh",
    "freshnes",
)  # fmt: skip
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


@dataclass(frozen=True)
class Versions:
    """How rows of a model say something anew: of the versions of one thing that are known, the one known last counts.

    Args:
        thing: SQL over the model's columns; rows with equal values are versions of one thing. NULL equals nothing.
        tie_break: What tells versions apart that are known at one time; without it such versions fail a query.
        deleted: Whether a version says that the thing is gone; None for never.
    """

    thing: tuple[str, ...]
    tie_break: str | None = None
    deleted: str | None = None


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
    if versions_of(model, metric) is not None and found.always:
        raise InvalidDefinitionError(
            "version_of tells which row was known last, and with known_at: always no row is known at any time",
            where=f"semantic model {model.name}" + (f", metric {metric.name}" if metric else ""),
            fix="declare known_at or a delay, or keep one row of each thing and leave version_of out",
        )
    return found


def versions_of(model: SemanticModel, metric: Metric | None = None) -> Versions | None:
    """How rows of `model` supersede each other; None where each row stands for itself.

    Raises:
        InvalidDefinitionError: `version_of` or `deleted` is no SQL expression over a row, or a metric has one.
        UnknownNameError: A key of `meta.penstock` is a near miss of one of ours.
    """
    if metric and {"version_of", "deleted"} & set(_section(metric.meta, f"metric {metric.name}")):
        raise InvalidDefinitionError(
            "of what rows are versions is the same for all metrics",
            where=f"metric {metric.name}, meta.penstock",
            fix="declare version_of and deleted on the semantic model",
        )
    if not model.meta.get("penstock"):
        return None
    where = f"semantic model {model.name}"
    section = _section(model.meta, where)
    given, deleted, tie_break = (section.get(key) for key in ("version_of", "deleted", "tie_break"))
    if given is None:
        if deleted is None:
            return None
        raise InvalidDefinitionError(
            "deleted says that a version is the end of a thing, and it is not declared what rows are versions of",
            where=f"{where}, meta.penstock",
            fix="declare version_of too",
        )
    things = given if isinstance(given, list) else [given]
    if not things:
        raise InvalidDefinitionError("version_of is empty", where=f"{where}, meta.penstock", fix="name a column")
    return Versions(
        tuple(_of_a_row(thing, f"{where}, version_of") for thing in things),
        None if tie_break is None else _of_a_row(tie_break, f"{where}, tie_break"),
        None if deleted is None else _of_a_row(deleted, f"{where}, deleted"),
    )


def declared_sql(model: SemanticModel) -> Iterator[tuple[str, str]]:
    """Each SQL expression that `meta` has for the model's rows, with the key that it stands under.

    Raises:
        InvalidDefinitionError: It says something that makes no sense.
        UnknownNameError: A key of `meta.penstock` is a near miss of one of ours.
    """
    if not model.meta.get("penstock"):
        return
    where = f"semantic model {model.name}"
    declared, versions = _declared(model.meta, where), versions_of(model)
    if declared is not None and declared.known_at is not None:
        yield "known_at", declared.known_at.sql("spark")
    tie_break = _section(model.meta, where).get("tie_break")
    if tie_break is not None:
        yield "tie_break", str(tie_break)
    if versions is not None:
        if declared is not None:
            knowledge_of(model)  # not always
        yield from (("version_of", thing) for thing in versions.thing)
        if versions.deleted is not None:
            yield "deleted", versions.deleted


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


def _of_a_row(text: object, where: str) -> str:
    """The text, if it is an SQL expression over the columns of one row."""
    if not isinstance(text, str):
        raise InvalidDefinitionError(f"{text!r} is no SQL text", where=where, fix="name a column")
    try:
        tree = parse_expression(text, where=where)
    except InvalidRequestError as bad:
        raise InvalidDefinitionError(bad.what, where=bad.where, near=bad.near, fix=bad.fix) from bad
    if tree.find(exp.AggFunc, exp.Window) is not None:
        raise InvalidDefinitionError("it is asked of one row, and holds an aggregate or a window", where=where)
    return text


def _section(meta: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    section = meta.get("penstock") or {}
    if not isinstance(section, Mapping):
        raise InvalidDefinitionError(f"meta.penstock is {section!r}, not a mapping", where=where, fix=_HOW)
    # other rooms have keys of their own here; only a near miss of one of ours is a mistake
    for key in section:
        if key not in _KEYS and str(key).lower().replace("-", "").replace("_", "").removesuffix("s") in _NEAR:
            raise UnknownNameError.of("key", key, _KEYS, where=f"{where}, meta.penstock")
    return section
