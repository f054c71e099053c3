"""A spine request to one statement: a chain of steps through which the spine's rows travel, and a projection."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.semantic.render import render
from penstock.training_sets.features import ColumnFeature, MetricFeature, parse_feature
from penstock.training_sets.from_rows import from_rows
from penstock.training_sets.request import CompiledTrainingSet, TrainingSetRequest
from penstock.training_sets.resolve import LookUp, Newest, ResolvedFeature, Resolver, Total
from penstock.training_sets.sql import (
    column,
    failure,
    known_dialect,
    microseconds,
    not_null,
    source_of,
    struct,
    user_column,
    whole_row,
)
from penstock.training_sets.timeline import Step, timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from penstock.manifest.model import SemanticManifest
    from penstock.semantic.request import Dialect

_SPINE, _SOURCE = "_spine", "_source"
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
    wanted = [parse_feature(text) for text in request.features]
    _check_names(request, wanted)
    resolver = Resolver(manifest, request, target)
    features = [resolver.feature(f) for f in wanted]
    keys = {entity: f"_key_{i}" for i, entity in enumerate(request.spine.entities)}
    steps, last, joined = _steps(resolver, keys, target)
    sql = render(_answer(features, steps, last, joined), target)
    relation = source_of(request.spine.relation, _SOURCE, target)
    named = [request.spine.relation.strip()] if isinstance(relation, exp.Table) else []
    return CompiledTrainingSet(
        sql=sql,
        columns=(*request.spine.columns, *(f.compiled.name for f in features)),
        features=tuple(f.compiled for f in features),
        semantic_models=tuple(resolver.reads.models),
        node_ids=tuple(resolver.reads.nodes),
        relations=tuple(dict.fromkeys([*named, *resolver.reads.relations])),
    )


def _check_names(request: TrainingSetRequest, wanted: list[MetricFeature | ColumnFeature]) -> None:
    if not wanted:
        raise InvalidRequestError("a training set needs at least one feature", where="features")
    taken: dict[str, str] = {name.lower(): "the spine" for name in request.spine.columns}
    for feature in wanted:
        other = taken.get(feature.name.lower())
        if other is not None:
            raise InvalidRequestError(
                f"two columns would be called '{feature.name}': that of '{feature.text}' and one of {other}",
                where="features",
                fix="add 'as another_name' to one of them",
            )
        taken[feature.name.lower()] = f"'{feature.text}'"


def _steps(
    resolver: Resolver, keys: Mapping[str, str], dialect: Dialect
) -> tuple[list[Step], str, dict[str, list[exp.EQ]]]:
    """All steps, the last of the chain, and by which columns others are joined to it."""
    steps = [Step(_SPINE, _spine(resolver.request, keys, dialect))]
    carried = ["_row", "_time", *keys.values()]
    for entity, key in keys.items():
        values: dict[Total | Newest, str] = {
            v: name
            for v, name in resolver.values.items()
            if v.entity == entity and (isinstance(v, Newest) or (isinstance(v, Total) and v.shape != "rows"))
        }
        if values:
            upstream = steps[-1].name
            steps += timeline(
                resolver,
                entity,
                key=key,
                values=values,
                upstream=upstream,
                spine=_SPINE,
                carried=carried,
                dialect=dialect,
            )
            carried += values.values()
    last = steps[-1].name
    joined: dict[str, list[exp.EQ]] = {}
    totals = {v: n for v, n in resolver.values.items() if isinstance(v, Total) and v.shape == "rows"}
    for i, group in enumerate(_grouped(totals, lambda v: (v.entity, v.model, v.clock.event)).values()):
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
        *(exp.alias_(user_column(spine.entities[entity], _SOURCE), key) for entity, key in keys.items()),
        copy=False,
    )


def _attributes(resolver: Resolver, values: Mapping[LookUp, str], dialect: Dialect) -> exp.Select:
    """The attributes of each key; a key with several rows fails, because it would double rows of the spine."""
    first = next(iter(values))
    scope = resolver.scope(resolver.manifest.model(first.model))
    key = resolver.key(scope.model, first.entity)
    select = scope.rows().select(exp.alias_(key.copy(), "_key"), copy=False)
    message = f"{first.model} has several rows of one {first.entity}, its declared key"
    several = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))
    for value, name in values.items():
        checked = exp.Case(
            ifs=[exp.If(this=several.copy(), true=failure(message, dialect))], default=exp.Max(this=value.value.copy())
        )
        select = select.select(exp.alias_(checked, name), copy=False)
    return select.where(not_null(key), copy=False).group_by(key.copy(), copy=False)


def _answer(
    features: list[ResolvedFeature], steps: list[Step], last: str, joined: Mapping[str, list[exp.EQ]]
) -> exp.Select:
    answer = exp.Select().from_(last)
    for name, on in joined.items():
        answer = answer.join(name, on=exp.and_(*on, copy=False), join_type="LEFT", copy=False)
    answer = answer.select(exp.Column(this=exp.Star(), table=exp.to_identifier("_row")), copy=False)
    for feature in features:
        alias = exp.to_identifier(feature.compiled.name, quoted=True)
        answer = answer.select(exp.alias_(feature.value.copy(), alias), copy=False)
    for step in steps:
        answer = answer.with_(step.name, step.select, copy=False)
    return answer
