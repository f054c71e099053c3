"""A spine request to one statement: a chain of steps through which the spine's rows travel, and a projection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.semantic.expressions import failure
from penstock.semantic.render import render
from penstock.semantic.request import Dialect
from penstock.training_sets.as_of_joins import as_of_joins
from penstock.training_sets.checks import check_spine, check_values
from penstock.training_sets.features import ColumnFeature, MetricFeature, parse_feature
from penstock.training_sets.from_rows import from_rows
from penstock.training_sets.keys import key_of_spine
from penstock.training_sets.labels import Label, matured, parse_label
from penstock.training_sets.request import CompiledTrainingSet, TrainingSetRequest
from penstock.training_sets.resolve import ResolvedFeature, Resolver
from penstock.training_sets.spine_rows import SpineRows, added_columns, spine_rows
from penstock.training_sets.sql import (
    column,
    known_dialect,
    microseconds,
    not_null,
    source_of,
    struct,
    user_column,
    whole_row,
)
from penstock.training_sets.timeline import Step, timeline
from penstock.training_sets.values import LookUp, Newest, Total

if TYPE_CHECKING:
    from collections.abc import Hashable

    from penstock.manifest.model import SemanticManifest
    from penstock.training_sets.knowledge import Clock

_SPINE, _SOURCE = "_spine", "_source"
# Spark reads the words of an as-of join as an alias, and then joins every row: it is for DuckDB alone.
WALKS: dict[Dialect, Callable[..., list[Step]]] = {"spark": timeline, "duckdb": as_of_joins}
V = TypeVar("V")
K = TypeVar("K")


def compile_training_set(
    manifest: SemanticManifest, request: TrainingSetRequest, dialect: str = "spark"
) -> CompiledTrainingSet:
    """Compile one request: the spine's rows, each with the features as known at its own time.

    Args:
        manifest: The project's definitions.
        request: What is asked for.
        dialect: `spark` or `duckdb`.

    Raises:
        UnknownNameError: The request, or a definition it uses, names a thing that is not there.
        InvalidRequestError: The request names real things in a way that has no answer as of a time.
        InvalidDefinitionError: A definition contradicts itself, or does not say when its rows are known.
    """
    target = known_dialect(dialect)
    resolver, features = resolved(manifest, request, target)
    keys = {entity: f"_key_{i}" for i, entity in enumerate(request.spine.entities)}
    ripe = _ripe(resolver, target)
    given = _spine(request, keys, target).where(*ripe, copy=False)
    spine = spine_rows(request, given, keys, _SPINE, target)
    steps, last, joined = _steps(resolver, spine, keys, target)
    columns = spine.columns(request.spine.columns, "_row")
    relation = source_of(request.spine.relation, _SOURCE, target)
    named = [request.spine.relation.strip()] if isinstance(relation, exp.Table) else []
    return CompiledTrainingSet(
        sql=render(_answer(features, columns, steps, last, joined), target),
        rows=render(
            _answer([], columns, spine.steps, _SPINE, {})
            if ripe or len(spine.steps) > 1
            else _kept(relation, request.spine.columns),
            target,
        ),
        columns=(*request.spine.columns, *spine.added, *(f.compiled.name for f in features)),
        features=tuple(f.compiled for f in features),
        semantic_models=tuple(resolver.reads.models),
        node_ids=tuple(resolver.reads.nodes),
        relations=tuple(dict.fromkeys([*named, *spine.relations, *resolver.reads.relations])),
        maturity=render(_maturity(relation, ripe), target) if ripe else None,
    )


def resolved(
    manifest: SemanticManifest, request: TrainingSetRequest, dialect: Dialect
) -> tuple[Resolver, list[ResolvedFeature]]:
    """The values that a request needs, and its features and labels over them. Errors are those of the compiler."""
    wanted = [*map(parse_feature, request.features), *map(parse_label, request.labels)]
    _check_names(request, wanted)
    check_spine(request)
    resolver = Resolver(manifest, request, dialect)
    features = [resolver.label(f) if isinstance(f, Label) else resolver.feature(f) for f in wanted]
    check_values(resolver)
    return resolver, features


def _check_names(request: TrainingSetRequest, wanted: list[MetricFeature | ColumnFeature | Label]) -> None:
    if not wanted:
        raise InvalidRequestError("a training set needs at least one feature", where="features")
    if request.labels_until is not None and not request.labels:
        raise InvalidRequestError(
            "there are no labels that could be final until then", where="labels_until", fix="drop it, or give labels"
        )
    taken: dict[str, str] = {name.lower(): "the spine" for name in (*request.spine.columns, *added_columns(request))}
    for feature in wanted:
        other = taken.get(feature.name.lower())
        if other is not None:
            raise InvalidRequestError(
                f"two columns would be called '{feature.name}': that of '{feature.text}' and one of {other}",
                where="features",
                fix="add 'as another_name' to one of them",
            )
        taken[feature.name.lower()] = f"'{feature.text}'"


def last_known(resolver: Resolver, model: str, clock: Clock, dialect: Dialect) -> exp.Select:
    """When the last row of a model became known, in microseconds."""
    rows = resolver.rows(resolver.manifest.model(model))
    return rows.select(exp.Max(this=clock.known_time(dialect)), copy=False)


def _ripe(resolver: Resolver, dialect: Dialect) -> list[exp.Expr]:
    """Conditions on a row of the spine under which all its labels are final."""
    request = resolver.request
    waiting = ((each, last_known(resolver, each.model, each.clock, dialect)) for each in resolver.matured)
    time = microseconds(user_column(request.spine.at, _SOURCE), dialect)
    return matured(waiting, time, until=request.labels_until, inclusive=request.inclusive, dialect=dialect)


def _maturity(relation: exp.Expr, ripe: list[exp.Expr]) -> exp.Select:
    """How many rows of the spine have labels that are final."""
    one, zero = exp.Literal.number(1), exp.Literal.number(0)
    is_ripe = exp.Sum(this=exp.Case(ifs=[exp.If(this=exp.and_(*ripe), true=one)], default=zero))
    rows, mature = exp.Count(this=exp.Star()), exp.Coalesce(this=is_ripe, expressions=[zero.copy()])
    return (
        exp.Select()
        .from_(relation, copy=False)
        .select(
            exp.alias_(rows, "spine_rows"),
            exp.alias_(mature, "mature"),
            exp.alias_(exp.Sub(this=rows.copy(), expression=mature.copy()), "immature"),
            copy=False,
        )
    )


def _steps(
    resolver: Resolver, spine: SpineRows, keys: Mapping[str, str], dialect: Dialect
) -> tuple[list[Step], str, dict[str, list[exp.EQ]]]:
    """All steps, the last of the chain, and by which columns others are joined to it."""
    steps = [*spine.steps]
    carried = ["_row", "_time", *keys.values(), *spine.added.values()]
    dated = {v: n for v, n in resolver.values.items() if isinstance(v, (Total, Newest))}
    running = {v: n for v, n in dated.items() if v.shape != "rows"}
    for (entity, after), values in _grouped(running, lambda v: (v.entity, v.asked_after)).items():
        steps += WALKS[dialect](
            resolver,
            entity,
            key=keys[entity],
            values=values,
            upstream=steps[-1].name,
            spine=_SPINE,
            carried=carried,
            after=after,
            dialect=dialect,
        )
        carried += values.values()
    last = steps[-1].name
    joined: dict[str, list[exp.EQ]] = {}
    rows = {v: n for v, n in dated.items() if v.shape == "rows"}
    for i, group in enumerate(_grouped(rows, _join).values()):
        first = next(iter(group))
        name = f"_{first.model}_rows_{i}"
        steps.append(from_rows(resolver, name, key=keys[first.entity], values=group, spine=_SPINE, dialect=dialect))
        joined[name] = [_equal(last, keys[first.entity], name, "_key"), _equal(last, "_time", name, "_time")]
    look_ups = {v: n for v, n in resolver.values.items() if isinstance(v, LookUp)}
    for (entity, model), attributes in _grouped(look_ups, lambda v: (v.entity, v.model)).items():
        name = f"_{model}_by_{entity}"
        steps.append(Step(name, _attributes(resolver, attributes, dialect)))
        joined[name] = [_equal(last, keys[entity], name, "_key")]
    return steps, last, joined


def _join(value: Total | Newest) -> tuple[Hashable, ...]:
    """What values have in common that share one join of rows to instants."""
    return value.entity, value.asked_after, value.model, value.clock.event, value.window is None


def _grouped(values: Mapping[V, str], by: Callable[[V], K]) -> dict[K, dict[V, str]]:
    groups: dict[K, dict[V, str]] = {}
    for value, name in values.items():
        groups.setdefault(by(value), {})[value] = name
    return groups


def _equal(left: str, own: str, right: str, other: str) -> exp.EQ:
    return exp.EQ(this=column(own, left), expression=column(other, right))


def _spine(request: TrainingSetRequest, keys: Mapping[str, str], dialect: Dialect) -> exp.Select:
    spine = request.spine
    row = (
        struct(**{name: user_column(name, _SOURCE) for name in spine.columns})
        if spine.columns
        else whole_row(_SOURCE, dialect)
    )
    select = exp.Select().from_(source_of(spine.relation, _SOURCE, dialect), copy=False)
    return select.select(
        exp.alias_(row, "_row"),
        exp.alias_(microseconds(user_column(spine.at, _SOURCE), dialect), "_time"),
        *(exp.alias_(key_of_spine(spine.entities[entity], _SOURCE), key) for entity, key in keys.items()),
        copy=False,
    )


def _kept(relation: exp.Expr, columns: tuple[str, ...]) -> exp.Select:
    """The spine as it is given; of its columns those named, or all."""
    named = [user_column(name, _SOURCE) for name in columns]
    whole = exp.Column(this=exp.Star(), table=exp.to_identifier(_SOURCE))
    return exp.Select().from_(relation, copy=False).select(*(named or [whole]), copy=False)


def _attributes(resolver: Resolver, values: Mapping[LookUp, str], dialect: Dialect) -> exp.Select:
    """The attributes of each key; a key with several rows fails, because it would double rows of the spine."""
    first = next(iter(values))
    model = resolver.manifest.model(first.model)
    key = resolver.key(model, first.entity)
    select = resolver.rows(model).select(exp.alias_(key.copy(), "_key"), copy=False)
    message = f"{first.model} has several rows of one {first.entity}, its declared key"
    several = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))
    for value, name in values.items():
        checked = exp.Case(
            ifs=[exp.If(this=several.copy(), true=failure(message, dialect))], default=exp.Max(this=value.value.copy())
        )
        select = select.select(exp.alias_(checked, name), copy=False)
    return select.where(not_null(key), copy=False).group_by(key.copy(), copy=False)


def _answer(
    features: list[ResolvedFeature],
    columns: list[exp.Expr],
    steps: list[Step],
    last: str,
    joined: Mapping[str, list[exp.EQ]],
) -> exp.Select:
    answer = exp.Select().from_(last)
    for name, on in joined.items():
        answer = answer.join(name, on=exp.and_(*on, copy=False), join_type="LEFT", copy=False)
    answer = answer.select(*columns, copy=False)
    for feature in features:
        alias = exp.to_identifier(feature.compiled.name, quoted=True)
        answer = answer.select(exp.alias_(feature.value.copy(), alias), copy=False)
    for step in steps:
        answer = answer.with_(step.name, step.select, copy=False)
    return answer
