"""What all parts of one compilation share, and how they read a model's rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from sqlglot import exp, parse_one
from sqlglot.errors import ParseError, SqlglotError

from penstock.manifest.model import Relation, SemanticModel
from penstock.semantic.catalog import Catalog
from penstock.semantic.expressions import is_a_name, without_positions
from penstock.semantic.knowledge import versions_of
from penstock.semantic.known import known_of
from penstock.semantic.reads import Reads
from penstock.semantic.request import Dialect
from penstock.semantic.templates import DUCKDB, SPARK
from penstock.semantic.versions import known_versions


@dataclass
class Context:
    """What all parts of one compilation share.

    `metric_rows` compiles a metric by entities to a select; a filter that compares a metric joins it. `known_at` is the
    moment whose knowledge is asked for; without one, everything that is known counts.
    """

    catalog: Catalog
    dialect: Dialect
    reads: Reads
    metric_rows: Callable[[str, tuple[str, ...]], tuple[exp.Select, str, tuple[str, ...]]]
    known_at: dt.datetime | None = None

    def table(self, relation: Relation, alias: str) -> exp.Expr:
        """A relation under an alias."""
        return exp.alias_(relation_table(relation), alias, table=True, copy=False)

    def rows(self, model: SemanticModel, alias: str) -> exp.Expr:
        """A model's rows under an alias; where they are versions of things, the last known ones."""
        table = self.table(model.relation, alias)
        known = known_of(model, None, self.known_at) if versions_of(model) is not None else None
        return table if known is None else known_versions(model, table, known, None, self.dialect)


def no_metric_rows(name: str, group_by: tuple[str, ...]) -> NoReturn:
    """The `metric_rows` of a context in which no filter compares a metric."""
    raise AssertionError(f"filters that compare a metric ({name} by {group_by}) are refused before")


def relation_table(relation: Relation) -> exp.Expr:
    """A relation's name as a tree; dbt quotes it as its adapter does."""
    return _parsed_name(relation.name).copy()


def relation_key(name: str | exp.Table) -> tuple[str, ...]:
    """The parts of a relation's name, in lower case, so that names can be compared however they are quoted.

    A text that is no name, such as a query, is a key of its own.

    Example:
        >>> relation_key("`Main`.`flights`") == relation_key('"main".flights')
        True
    """
    try:
        table = _parsed_name(name) if isinstance(name, str) else name
    except SqlglotError:
        return (str(name),)
    return tuple(part.name.lower() for part in table.parts)


@lru_cache(maxsize=8192)
def _parsed_name(name: str) -> exp.Table:
    parts = name.split(".")
    if len(parts) <= 3 and all(map(is_a_name, parts)):
        table, db, catalog = (*reversed(parts), None, None)[:3]
        return exp.table_(table, db=db, catalog=catalog)
    parsed = parse_one(name, into=exp.Table, dialect=DUCKDB if '"' in name else SPARK)
    if not isinstance(parsed, exp.Table):
        raise ParseError(f"{name!r} is no name of a relation")
    without_positions(parsed)  # in place
    return parsed
