"""The queries of models of embeddings: their directions, and rows with their places along them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.monitoring.drift.projections import projected, random_projection, stored

if TYPE_CHECKING:
    from penstock.dialects import Dialect


def projection_sql(dimensions: int, into: int, seed: int, dialect: Dialect) -> str:
    """The query of a table of random directions. Arguments and errors as for `projections.random_projection`."""
    return stored(random_projection(int(dimensions), int(into), seed=int(seed)), dialect).sql(dialect)


def projected_sql(relation: Any, embedding: str, directions: Any, into: int, dialect: Dialect) -> str:
    """The query of rows with places. Arguments and errors as for `projections.projected`."""
    return projected(str(relation), embedding, str(directions), int(into), dialect).sql(dialect, pretty=True)
