"""Which rows of a training set a change of its inputs can reach, so that only they are computed anew.

A row of a fact counts from its entry to a window after its event. So whatever has been inserted, updated or deleted
reaches the rows of the spine with its key and a time between the two; a late row reaches those after it became known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.semantic.context import relation_key
from penstock.semantic.render import render
from penstock.training_sets.compile import compile_training_set, resolved
from penstock.training_sets.keys import key_of_spine
from penstock.training_sets.resolve import Resolver
from penstock.training_sets.sql import column, known_dialect, microseconds, not_null, source_of, user_column
from penstock.training_sets.values import LookUp, Value

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest
    from penstock.semantic.request import Dialect
    from penstock.training_sets.knowledge import Clock
    from penstock.training_sets.request import CompiledTrainingSet, TrainingSetRequest

_ROWS, _BUILT, _CHANGED = "_rows", "_built", "_changed"


@dataclass(frozen=True)
class _Reach:
    """What the rows of one model can change: values by one entity and clock.

    Args:
        length: Microseconds after its event until which a row counts; None for ever.
        after: Microseconds after the time of a row of the spine at which the values are asked.
    """

    model: str
    entity: str
    clock: Clock | None
    length: int | None
    after: int


def compile_refresh(
    manifest: SemanticManifest,
    request: TrainingSetRequest,
    dialect: str,
    *,
    built: str,
    unique_key: Sequence[str],
    changes: Mapping[str, str],
) -> CompiledTrainingSet:
    """Compile the part of a training set that has to be computed anew, to be merged into what is built.

    These are the rows that the built table lacks (new ones, and those that have matured), and those that a change can
    reach. Rows that left the spine are not told.

    Args:
        manifest: The project's definitions.
        request: The training set.
        dialect: `spark` or `duckdb`.
        built: The table that was built from the state before the changes.
        unique_key: The columns of the spine that tell its rows apart.
        changes: For each relation that has changed, a query of all its rows that were inserted, updated (as they were
            and as they are) or deleted.

    Raises:
        PenstockError: As for `compile_training_set`, or because there is no key.
    """
    if not unique_key:
        raise InvalidRequestError(
            "rows that are computed anew have to be found in the built table",
            where="unique_key",
            fix="name the columns that tell the spine's rows apart",
        )
    target, spine = known_dialect(dialect), request.spine
    resolver, _ = resolved(manifest, request, target)
    reached = [_not_in(built, unique_key, target)]
    changed = {relation_key(relation): query for relation, query in changes.items()}
    if relation_key(spine.relation) in changed:
        reached.append(_is_in(changed[relation_key(spine.relation)], unique_key, target))
    for reach in _reaches(resolver):
        relation = relation_key(manifest.model(reach.model).relation.name)
        if relation in changed:
            reached.append(_reached(resolver, reach, changed[relation], target))
    rows = exp.Select().from_(source_of(spine.relation, _ROWS, target), copy=False)
    rows = rows.select(exp.Column(this=exp.Star(), table=exp.to_identifier(_ROWS)), copy=False)
    part = render(rows.where(exp.or_(*reached, copy=False), copy=False), target)
    return compile_training_set(manifest, replace(request, spine=replace(spine, relation=part)), dialect)


def gone(spine: str, unique_key: Sequence[str], change: str, dialect: str) -> str:
    """SQL that counts the rows, among those that changed, whose key the spine has no more.

    Args:
        spine: The spine's relation.
        unique_key: The columns that tell its rows apart.
        change: A query of its changed rows.
        dialect: `spark` or `duckdb`.
    """
    target = known_dialect(dialect)
    there = _of_key(source_of(spine, _CHANGED, target), _CHANGED, unique_key)
    rows = exp.Select().from_(source_of(change, _ROWS, target), copy=False).where(exp.Not(this=exp.Exists(this=there)))
    return render(rows.select(exp.alias_(exp.Count(this=exp.Star()), "gone"), copy=False), target)


def _not_in(built: str, key: Sequence[str], dialect: Dialect) -> exp.Expr:
    return exp.Not(this=exp.Exists(this=_of_key(source_of(built, _BUILT, dialect), _BUILT, key)))


def _is_in(query: str, key: Sequence[str], dialect: Dialect) -> exp.Expr:
    return exp.Exists(this=_of_key(source_of(query, _CHANGED, dialect), _CHANGED, key))


def _of_key(source: exp.Expr, alias: str, key: Sequence[str]) -> exp.Select:
    one = exp.Select().from_(source, copy=False).select(exp.Literal.number(1), copy=False)
    same = [exp.NullSafeEQ(this=user_column(c, alias), expression=user_column(c, _ROWS)) for c in key]
    return one.where(*same, copy=False)


def _reaches(resolver: Resolver) -> list[_Reach]:
    """One for each model, entity, clock and time of asking, with the longest length among its values."""
    found: dict[tuple[str, str, Clock | None, int], _Reach] = {}
    for value in resolver.values:
        reach = _reach(value)
        key = (reach.model, reach.entity, reach.clock, reach.after)
        other = found.get(key)
        if other is not None:
            both = other.length is not None and reach.length is not None
            longest = max(other.length or 0, reach.length or 0) if both else None
            reach = replace(reach, length=longest)
        found[key] = reach
    return list(found.values())


def _reach(value: Value) -> _Reach:
    if isinstance(value, LookUp):
        return _Reach(value.model, value.entity, None, None, 0)
    # what a version supersedes may have happened at any time
    bounded = value.window is not None and value.clock.superseded is None
    length = value.window.microseconds if value.window and bounded else None
    return _Reach(value.model, value.entity, value.clock, length, value.asked_after)


def _reached(resolver: Resolver, reach: _Reach, query: str, dialect: Dialect) -> exp.Expr:
    """Whether a row of the spine has a key that changed, at a time at which the change counts."""
    model = resolver.manifest.model(reach.model)
    key = resolver.key(model, reach.entity)
    rows = exp.Select().from_(source_of(query, model.name, dialect), copy=False).where(not_null(key), copy=False)
    spine = resolver.request.spine
    tests: list[exp.Expr] = [
        exp.EQ(this=column("_key", _CHANGED), expression=key_of_spine(spine.entities[reach.entity], _ROWS))
    ]
    rows = rows.select(exp.alias_(key.copy(), "_key"), copy=False)
    if reach.clock is not None:
        at = microseconds(user_column(spine.at, _ROWS), dialect)
        asked = exp.Add(this=at, expression=exp.Literal.number(reach.after)) if reach.after else at
        versions = reach.clock.superseded is not None  # they supersede when known, whether or not they happened by then
        entry = reach.clock.known_time(dialect) if versions else reach.clock.entry_time(dialect)
        rows = rows.select(exp.alias_(exp.Min(this=entry), "_from"), copy=False)
        tests.append(exp.GTE(this=asked, expression=column("_from", _CHANGED)))
        if reach.length is not None:
            event = reach.clock.event_time(dialect)
            end = exp.Add(this=event, expression=exp.Literal.number(reach.length))
            rows = rows.select(exp.alias_(exp.Max(this=end), "_to"), copy=False)
            rows = rows.where(exp.LTE(this=entry.copy(), expression=end.copy()), copy=False)
            tests.append(exp.LTE(this=asked.copy(), expression=column("_to", _CHANGED)))
    rows = rows.group_by(key.copy(), copy=False)
    one = exp.Select().from_(exp.alias_(exp.Subquery(this=rows), _CHANGED, table=True), copy=False)
    return exp.Exists(this=one.select(exp.Literal.number(1), copy=False).where(*tests, copy=False))
