"""What the declared types of columns tell to be wrong before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sqlglot import exp
from sqlglot.errors import SqlglotError

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.training_sets.keys import columns_of
from penstock.training_sets.kinds import declared_types
from penstock.training_sets.values import LookUp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.training_sets.request import TrainingSetRequest
    from penstock.training_sets.resolve import Resolver

Family = Literal["text", "number", "time", "boolean"]

_Type = exp.DataType.Type
_BY_TYPE: dict[object, Family] = {
    **dict.fromkeys(exp.DataType.TEXT_TYPES, "text"),
    **dict.fromkeys(exp.DataType.NUMERIC_TYPES, "number"),
    **dict.fromkeys((_Type.DATE, _Type.TIMESTAMP, _Type.TIMESTAMPTZ, _Type.TIMESTAMPNTZ, _Type.TIMESTAMPLTZ), "time"),
    _Type.BOOLEAN: "boolean",
}


def check_spine(request: TrainingSetRequest) -> None:
    """Look at the columns that a request names of its spine, as far as their types are known.

    Raises:
        UnknownNameError: The spine has no such column.
        InvalidRequestError: Its time is no time.
    """
    spine = request.spine
    types = declared_types(request.types, spine.relation)
    if types is None:
        return
    where = f"the spine {spine.relation.strip()}"
    for name in (spine.at, *columns_of(spine.entities.values()), *spine.columns):
        if name.lower() not in types:
            raise UnknownNameError.of("column", name, types, where=where)
    family = _family_of_type(types[spine.at.lower()])
    if family not in ("time", None):
        raise InvalidRequestError(
            f"its time '{spine.at}' is no date or timestamp: it is declared as {types[spine.at.lower()]}",
            where=where,
            fix="cast it to a timestamp in a model, and name that as the spine",
        )


def check_values(resolver: Resolver) -> None:
    """Look at the times and keys of all that is computed, as far as their types are known.

    Raises:
        InvalidDefinitionError: A time is no time.
        InvalidRequestError: A key of the spine can't be compared with that of a model.
    """
    request = resolver.request
    of_spine = declared_types(request.types, request.spine.relation) or {}
    for value in resolver.values:
        model = resolver.manifest.model(value.model)
        types = declared_types(request.types, model.relation.name) or {}
        if not isinstance(value, LookUp):
            for name, time in (("event time", value.clock.event), ("known_at", value.clock.known_at)):
                if time is not None and _family(time, types) not in ("time", None):
                    raise InvalidDefinitionError(
                        f"its {name} is no date or timestamp: {time.sql('spark')}",
                        where=f"semantic model {model.name}",
                        fix="cast it to a timestamp",
                    )
        columns = columns_of([request.spine.entities[value.entity]])
        for column, part in zip(columns, resolver.key_parts(model, value.entity), strict=True):
            theirs, own = _family(part, types), _family_of_type(of_spine.get(column.lower()))
            if theirs is not None and own is not None and theirs != own:
                raise InvalidRequestError(
                    f"the spine's '{column}' is a {own} and the key of '{value.entity}' in '{model.name}' a {theirs}: "
                    "engines differ in which of them are equal",
                    where=f"the spine {request.spine.relation.strip()}",
                    fix="cast one of them to the type of the other",
                )


def _family(value: exp.Expr, types: Mapping[str, str]) -> Family | None:
    if isinstance(value, exp.Column):
        return _family_of_type(types.get(value.name.lower()))
    if isinstance(value, exp.Cast):  # TryCast is one
        return _BY_TYPE.get(value.to.this)
    if isinstance(value, exp.Literal):
        return "text" if value.is_string else "number"
    return _family(value.this, types) if isinstance(value, exp.Paren) else None


def _family_of_type(declared: str | None) -> Family | None:
    if declared is None:
        return None
    try:
        kind = exp.DataType.build(declared, dialect="spark").this
    except (SqlglotError, ValueError):
        return None
    return _BY_TYPE.get(kind)
