"""The rows to which features are added: those of the spine, or a sample of them, split, balanced and with negatives.

All of it comes before the features, which so are computed for the rows that are kept, and for no others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.training_sets import negatives as drawing
from penstock.training_sets.hashing import check_types
from penstock.training_sets.keys import columns_of
from penstock.training_sets.kinds import declared_types
from penstock.training_sets.sampling import WEIGHT, balanced, check_balance, check_sample, is_kept
from penstock.training_sets.splits import check_split, part_of_row, parts_of
from penstock.training_sets.sql import column, source_of, user_column
from penstock.training_sets.timeline import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.semantic.request import Dialect
    from penstock.training_sets.request import TrainingSetRequest

_GIVEN, _PART = "_given", "_split"


@dataclass(frozen=True)
class SpineRows:
    """The rows to which features are added.

    Args:
        steps: The steps that make them.
        added: The new columns, and what the last step calls them.
        drawn: The spine's column that has keys of its own in drawn rows, and what the last step calls it.
        relations: The relations that are read beside the spine's, where they are no queries.
    """

    steps: list[Step]
    added: Mapping[str, str]
    drawn: tuple[str, str] | None
    relations: tuple[str, ...]

    def columns(self, kept: tuple[str, ...], row: str) -> list[exp.Expr]:
        """The spine's columns and the new ones, from the struct `row`; of the spine those `kept`, or all."""
        columns: list[exp.Expr] = [exp.Column(this=exp.Star(), table=exp.to_identifier(row))]
        if self.drawn is not None:
            name, key = self.drawn
            own = exp.alias_(column(key), exp.to_identifier(name, quoted=True))
            if kept:
                columns = [own if c.lower() == name.lower() else user_column(c, row) for c in kept]
            else:
                columns[0].this.set("except_", [exp.to_identifier(name, quoted=True)])
                columns.append(own)
        return columns + [exp.alias_(column(c), exp.to_identifier(n, quoted=True)) for n, c in self.added.items()]


def added_columns(request: TrainingSetRequest) -> dict[str, str]:
    """The columns that a request adds to the spine's, and what the steps call them."""
    added = {}
    if request.negatives is not None:
        added[request.negatives.label] = drawing.LABEL
    if request.split is not None:
        added[request.split.name] = _PART
    if request.balance is not None:
        added[request.balance.name] = WEIGHT
    return added


def spine_rows(
    request: TrainingSetRequest, given: exp.Select, keys: Mapping[str, str], name: str, dialect: Dialect
) -> SpineRows:
    """The steps from the spine's rows to those to which features are added.

    Args:
        request: What is asked for.
        given: The spine's rows as a query over `_source`, with `_row`, `_time` and the keys.
        keys: What its column with the keys of each entity is called.
        name: What the last step is to be called.
        dialect: The dialect compiled to.

    Raises:
        UnknownNameError: A split or sample names a thing that is not there.
        InvalidRequestError: It has no answer.
    """
    read = _checked(request, dialect)
    named = {c.lower(): keys[entity] for entity, c in request.spine.entities.items() if isinstance(c, str)}
    if request.negatives is not None:
        named[request.negatives.label.lower()] = drawing.LABEL
    for wanted in (c for columns in read.values() for c in columns):
        if wanted.lower() not in named:
            named[wanted.lower()] = f"_column_{len(named)}"
            given = given.select(exp.alias_(user_column(wanted, "_source"), named[wanted.lower()]), copy=False)
    of = {part: [named[c.lower()] for c in columns] for part, columns in read.items()}
    carried = list(dict.fromkeys(["_row", "_time", *keys.values(), *(c for c in named.values() if c != drawing.LABEL)]))
    steps = [Step(_GIVEN, given)]

    def upstream() -> exp.Select:
        return exp.Select().from_(steps[-1].name).select(*map(column, carried), copy=False)

    if request.sample is not None:
        kept = is_kept(request.sample, [column(c) for c in of["sample"]], dialect)
        steps.append(Step("_sampled", upstream().where(kept, copy=False)))
    if request.negatives is not None:
        own = request.negatives.entity
        draws = drawing.Drawing(
            negatives=request.negatives,
            given=_GIVEN,
            rows=steps[-1].name,
            key=keys[own],
            own_column=_column_of(request, own),
            others=[key for entity, key in keys.items() if entity != own],
            inclusive=request.inclusive,
            dialect=dialect,
        )
        steps += [Step(*step) for step in draws.steps(carried).items()]
        carried.append(drawing.LABEL)
    if request.split is not None:
        part = part_of_row(request.split, column("_time"), [column(c) for c in of["split"]], dialect)
        steps.append(Step("_parted", upstream().select(exp.alias_(part, _PART), copy=False)))
        carried.append(_PART)
    if request.balance is not None:
        shares = balanced(
            request.balance,
            steps[-1].name,
            carried,
            label=of["label"][0],
            by=of["balance"],
            part=_PART if request.split is not None else None,
            dialect=dialect,
        )
        steps += [Step(*step) for step in shares.items()]
    steps[-1] = replace(steps[-1], name=name)
    drawn = None
    if request.negatives is not None:
        drawn = _column_of(request, request.negatives.entity), keys[request.negatives.entity]
    return SpineRows(steps, added_columns(request), drawn, _relations(request, dialect))


def _column_of(request: TrainingSetRequest, drawn: str) -> str:
    """The one column that the key of the entity has whose keys are drawn."""
    (found,) = columns_of([request.spine.entities[drawn]])
    return found


def _relations(request: TrainingSetRequest, dialect: Dialect) -> tuple[str, ...]:
    candidates = request.negatives.candidates if request.negatives is not None else None
    if candidates is None or not isinstance(source_of(candidates.relation, "_source", dialect), exp.Table):
        return ()
    return (candidates.relation.strip(),)


def _checked(request: TrainingSetRequest, dialect: Dialect) -> dict[str, tuple[str, ...]]:
    """The columns that each part of the request reads."""
    entities = request.spine.entities
    read: dict[str, tuple[str, ...]] = {}
    if request.sample is not None:
        read["sample"] = check_sample(request.sample)
    if request.negatives is not None:
        drawing.check_negatives(request.negatives, entities)
        read["negatives"] = columns_of(entities.values())
    if request.split is not None:
        read["split"] = check_split(request.split, entities)
    known = _known_columns(request, dialect)
    made = () if request.negatives is None else (request.negatives.label,)
    if request.balance is not None:
        read["balance"] = check_balance(request.balance, parts_of(request.split) if request.split else ())
        read["label"] = (request.balance.label,)
    for part, columns in read.items():
        here = made if part in ("split", "balance", "label") else ()
        for name in columns:
            if known is not None and name.lower() not in {*known, *(m.lower() for m in here)}:
                raise UnknownNameError.of("column", name, {*known, *here}, where="balance" if part == "label" else part)
        if part != "label":
            check_types(columns, known, part)
    _check_new(request, {*(known or ()), *(c.lower() for c in request.spine.columns)})
    for name in read.get("sample", ()):
        if name.lower() in [m.lower() for m in made]:
            raise InvalidRequestError(
                f"'{name}' is not there yet when the sample is taken, which is before negatives are drawn",
                where="sample",
                fix="sample by columns of the spine; balance by the label of negatives",
            )
    return read


def _check_new(request: TrainingSetRequest, known: set[str]) -> None:
    new = [part.name for part in (request.split, request.balance) if part is not None]
    new += [request.negatives.label] if request.negatives is not None else []
    for i, name in enumerate(new):
        if name.lower() in known or name.lower() in [other.lower() for other in new[:i]]:
            raise InvalidRequestError(
                f"two columns would be called '{name}'",
                where="split, balance, negatives",
                fix="give the new one another name: 'as' in split and balance, 'label' in negatives",
            )


def _known_columns(request: TrainingSetRequest, dialect: Dialect) -> dict[str, str | None] | None:
    """The spine's columns by lower-case name, with their types where these are known; None where it can't be told."""
    source = source_of(request.spine.relation, "_source", dialect)
    if isinstance(source, exp.Subquery):
        names = source.this.named_selects
        whole = all(names) and "*" not in names and not any(s.is_star for s in source.this.selects)
        return {name.lower(): None for name in names} if whole else None
    declared = declared_types(request.types, request.spine.relation)
    return None if declared is None else dict(declared)
