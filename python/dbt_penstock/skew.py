"""The data test of features as seen: what its SQL needs to know of the feature set, which the record knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.errors import UnknownNameError
from penstock.monitoring.record.skew import Seen, features_seen, skew_sql
from penstock.monitoring.record.tables import FEATURE_SETS


def skewed(
    relation: str, columns: Sequence[str], feature_set: str, without: Sequence[str], max_rate: float, run_query: Any
) -> str:
    """The query of the test: the features that differ too often.

    Args:
        relation: The tested one.
        columns: The names of its columns.
        feature_set: The set that was logged.
        without: Its features that are not compared.
        max_rate: The share of rows that may differ, 0 to 1.
        run_query: dbt's macro.

    Raises:
        UnknownNameError: when nobody has declared the set, or as for `skew_sql`.
        InvalidRequestError: as for `skew_sql`.
    """
    schema, name = FEATURE_SETS.name.split(".")
    known: dict[str, dict[str, Seen]] = {}
    if run_query(f"SHOW TABLES IN {schema} LIKE '{name}'").rows:
        query = f"SELECT feature_set, feature, schema_version, type FROM {FEATURE_SETS.name} ORDER BY schema_version"
        known = features_seen(run_query(query).rows)
    if feature_set not in known:
        fix = "log features to it, or declare it by declare_features"
        raise UnknownNameError.of("feature set", feature_set, known, where=f"same_as_seen of {relation}", fix=fix)
    return skew_sql(relation, columns, feature_set, known[feature_set], without=without, max_rate=max_rate)
