"""Relations whose rows belong to the record, as dbt models declare it: `meta: {penstock: {log: predictions}}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from penstock.errors import InvalidDefinitionError, nearest
from penstock.manifest.meta import declared_in
from penstock.monitoring.record.feature_sets import declare_features, is_declared
from penstock.monitoring.record.log import log_features, log_feedback, log_predictions
from penstock.monitoring.record.tables import SEEN

_TABLES: Mapping[str, Callable[..., int]] = {"predictions": log_predictions, "feedback": log_feedback}
_FEATURES = "features."
_NO_FEATURES = frozenset(each.name for each in SEEN)


def log_of(meta: Mapping[str, Any] | None, *, where: str) -> str | None:
    """Which table a node's meta says that its rows are logged to; None where it says nothing.

    Args:
        meta: The node's.
        where: The node's file.

    Returns:
        `predictions`, `feedback`, or `features.` and the name of a feature set.

    Raises:
        InvalidDefinitionError: when it says something else.
    """
    given = declared_in(meta, "log")
    if given is None:
        return None
    if str(given) in _TABLES or re.fullmatch(rf"{_FEATURES}[a-z_][a-z0-9_]*", str(given)):
        return str(given)
    raise InvalidDefinitionError(
        f"log is {given!r}",
        where=where,
        near=nearest(str(given), _TABLES),
        fix=f"log: {', '.join(_TABLES)}, or {_FEATURES}<feature set>",
    )


def log_relation(spark: Any, relation: str, table: str) -> int:
    """Add the rows of a relation, whose columns are those of the table, to the record.

    A feature set that nobody has declared gets the schema of the relation.

    Args:
        spark: A session.
        relation: Its name.
        table: As `log_of` tells it.

    Returns:
        How many rows were added.

    Raises:
        PenstockError: as the function for the table raises it.
    """
    rows = spark.table(relation)
    if table in _TABLES:
        return _TABLES[table](spark, rows)
    feature_set = table.removeprefix(_FEATURES)
    if not is_declared(spark, feature_set):
        features = {name: type for name, type in rows.dtypes if name.lower() not in _NO_FEATURES}
        declare_features(spark, feature_set, features)
    return log_features(spark, feature_set, rows)
