"""What all parts of one compilation share, and how they read a model's rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

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


def relation_table(relation: Relation) -> exp.Expr:
    """A relation's name as a tree; dbt quotes it as its adapter does."""
    return _parsed_name(relation.name).copy()


@lru_cache(maxsize=8192)
def _parsed_name(name: str) -> exp.Expr:
    parts = name.split(".")
    if len(parts) <= 3 and all(map(is_a_name, parts)):
        table, db, catalog = (*reversed(parts), None, None)[:3]
        return exp.table_(table, db=db, catalog=catalog)
    return without_positions(exp.to_table(name, dialect=DUCKDB if '"' in name else SPARK))
