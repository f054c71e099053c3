"""Performance as macros and generic tests ask for it: dbt's relations and arguments in, SQL out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp, parse_one

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.monitoring.performance import calibration, checks, proxies, regression, slices
from penstock.monitoring.performance import metrics as performance
from penstock.monitoring.performance.scores import Scores

if TYPE_CHECKING:
    from penstock.dialects import Dialect

_OF_SCORES = frozenset({"score", "label", "weight", "by", "threshold"})


def sql(asked: str, relation: str, arguments: Mapping[str, Any], dialect: Dialect) -> str:
    """The SQL of one of `ASKED`.

    Args:
        asked: Its name.
        relation: The relation as dbt writes it, a table or a query in parentheses.
        arguments: Those of the macro; None is the default.
        dialect: dbt's `target.type`.

    Raises:
        UnknownNameError: There is nothing of that name, or a metric or dialect is not known.
        InvalidRequestError: The arguments make no sense.
    """
    if asked not in ASKED:
        raise UnknownNameError.of("query of performance", asked, ASKED)
    given = {name: value for name, value in arguments.items() if value is not None}
    query = parse_one(f"SELECT * FROM {relation}", dialect=dialect)
    assert isinstance(query, exp.Query)
    return ASKED[asked](query, given, dialect).sql(dialect, pretty=True)


def _scores(relation: exp.Query, given: dict[str, Any]) -> Scores:
    asks = {name: given.pop(name) for name in _OF_SCORES & given.keys()}
    for name in ("score", "label"):
        if name not in asks:
            raise InvalidRequestError(f"it is not said which column has the {name}", where=name, fix=f"{name}: …")
    return Scores(relation, keys=tuple(_names(asks.pop("by", ()))), **asks)


def _names(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _performance(relation: exp.Query, given: dict[str, Any], dialect: Dialect) -> exp.Select:
    of = regression.number_performance if given.pop("numbers", False) else performance.performance
    return of(_scores(relation, given), dialect, **given)


def _of_scores(function: Callable[..., exp.Select]) -> Callable[..., exp.Select]:
    def asked(relation: exp.Query, given: dict[str, Any], dialect: Dialect) -> exp.Select:
        return function(_scores(relation, given), dialect, **given)

    return asked


def _of_slices(function: Callable[..., exp.Select]) -> Callable[..., exp.Select]:
    def asked(relation: exp.Query, given: dict[str, Any], dialect: Dialect) -> exp.Select:
        columns = _names(given.pop("slices"))
        return function(_scores(relation, given), columns, dialect, **given)

    return asked


def _labels_mature(relation: exp.Query, given: dict[str, Any], dialect: Dialect) -> exp.Select:
    return checks.labels_mature(relation, dialect, **given)


def _proxies(relation: exp.Query, given: dict[str, Any], dialect: Dialect) -> exp.Select:
    """The proxies of each protected column, with the column's name."""
    types: Mapping[str, str] = given.pop("types")
    protected = _names(given.pop("protected"))
    if not protected:
        raise InvalidDefinitionError(
            "no column is tagged protected",
            where="columns",
            fix="in the model's YAML, under the column: config: {meta: {penstock: {protected: true}}}",
        )
    out = {name.lower() for name in [*protected, *_names(given.pop("leave_out", ()))]}
    kinds = {
        name: exp.DataType.build(type_, dialect=dialect) for name, type_ in types.items() if name.lower() not in out
    }
    numbers = [name for name, kind in kinds.items() if kind.this in exp.DataType.NUMERIC_TYPES]
    texts = [name for name, kind in kinds.items() if kind.this in {*exp.DataType.TEXT_TYPES, exp.DataType.Type.BOOLEAN}]
    queries: list[exp.Query] = []
    for column in protected:
        told = proxies.proxies(relation, column, dialect, texts=texts, numbers=numbers, **given)
        name = exp.alias_(exp.Literal.string(column), "protected")
        queries.append(exp.select(name, "*").from_(told.subquery("told")))
    first, *others = queries
    for query in others:
        first = exp.union(first, query, distinct=False)
    return exp.select("*").from_(first.subquery("told_of_all"))


ASKED: Mapping[str, Callable[..., exp.Select]] = {
    "calibrated": _of_scores(checks.calibrated),
    "labels_mature": _labels_mature,
    "performance": _performance,
    "proxies": _proxies,
    "reliability": _of_scores(calibration.reliability),
    "slice_gap_at_most": _of_slices(checks.slice_gap_at_most),
    "slice_metric_at_least": _of_slices(checks.slice_metric_at_least),
    "slices": _of_slices(slices.slices),
}
"""What may be asked, by name."""


def protected_columns(relation: str, graph: Mapping[str, Any]) -> list[str]:
    """The columns of the model or source of a relation that its YAML tags as protected.

    Args:
        relation: The relation as dbt writes it.
        graph: dbt's `graph`.
    """
    found: list[str] = []
    for node in [*graph["nodes"].values(), *graph["sources"].values()]:
        if _plain(node.get("relation_name") or "") == _plain(relation):
            for column in node["columns"].values():
                meta = (column.get("config") or {}).get("meta") or column.get("meta") or {}
                if (meta.get("penstock") or {}).get("protected"):
                    found.append(column["name"])
    return found


def _plain(relation: str) -> str:
    return relation.replace("`", "").replace('"', "").lower()
