"""Train/serve skew: features as a model saw them, beside the same features as of the same times from the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import parse_one

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.record.tables import seen_table
from penstock.scoring.functions import literal, quoted

_KEY = ("prediction_id", "at")
# Sums of doubles differ by the order in which they were added up.
_RELATIVE = "1E-9"


@dataclass(frozen=True)
class Seen:
    """A feature of a feature set.

    Attributes:
        type: The type of its column.
        since: The version of the set's schema that it came with; rows of earlier ones never had it.
    """

    type: str
    since: int


def skew_sql(
    relation: str,
    columns: Sequence[str],
    feature_set: str,
    features: Mapping[str, Seen],
    *,
    without: Sequence[str] = (),
    max_rate: float = 1.0,
) -> str:
    """The query of how often each feature, as it was seen, is not what the tables say that it was.

    The relation has `prediction_id`, `at`, and the features of the set by their names, as a point-in-time correct
    training set over the logged predictions gives them. Doubles within 1e-9 of each other are the same, and so are two
    NULLs. Of a row that was seen by a schema without the feature nothing is compared.

    A row of the answer is a feature: `feature`, how many rows were `compared`, how many were `differing`, their `rate`,
    and an `example`, the least prediction_id of a differing row. A last one, whose feature is NULL, tells how many rows
    of the relation are nowhere among what was seen.

    Args:
        relation: Its name, as SQL text of Spark.
        columns: The names of its columns.
        feature_set: Whose table is compared.
        features: Its features.
        without: Features that are not compared.
        max_rate: Only what differs in more than this share of its rows is in the answer; with 0 it is what differs.

    Raises:
        UnknownNameError: when the relation has no such key or feature, or the set none that is left out.
        InvalidRequestError: when there is nothing to compare.
    """
    compared = compared_features(relation, columns, feature_set, features, without)
    lower = {each.lower(): each for each in columns}
    counts, told = [], []
    for at, (name, seen) in enumerate(compared.items()):
        there = f"seen.schema_version >= {seen.since}"
        same = same_sql(f"seen.{quoted(name)}", f"given.{quoted(lower[name.lower()])}", seen.type)
        counts.append(_counted(there, f"{there} AND NOT ({same})", "seen", at))
        told.append(_told(f"CAST({literal(name)} AS STRING)", at))
    counts.append(_counted("TRUE", "seen.prediction_id IS NULL", "given", len(compared)))
    told.append(_told("CAST(NULL AS STRING)", len(compared)))
    table = seen_table(feature_set, {}).name
    query = (
        f"WITH counted AS (SELECT {', '.join(counts)} FROM {relation} AS given LEFT JOIN {table} AS seen"
        " ON seen.prediction_id = given.prediction_id AND seen.at = given.at)"
        f", told AS (SELECT INLINE(ARRAY({', '.join(told)})) FROM counted)"
        " SELECT feature, compared, differing, differing / NULLIF(compared, 0) AS rate, example FROM told"
        f" WHERE {'TRUE' if max_rate >= 1 else f'differing > {max_rate!r} * compared'}"
    )
    return parse_one(query, dialect="spark").sql("spark", pretty=True)


def compared_features(
    relation: str, columns: Sequence[str], feature_set: str, features: Mapping[str, Seen], without: Sequence[str]
) -> dict[str, Seen]:
    """The features that are compared with columns of a relation. Arguments and errors as for `skew_sql`."""
    lower = {each.lower(): each for each in columns}
    for name in _KEY:
        if name not in lower:
            fix = "a set over logged predictions carries prediction_id and at"
            raise UnknownNameError.of("column", name, columns, where=relation, fix=fix)
    for name in without:
        if name not in features:
            raise UnknownNameError.of("feature", name, features, where=f"feature set {feature_set}")
    compared = {name: seen for name, seen in features.items() if name not in without}
    if not compared:
        raise InvalidRequestError("no feature is left to compare", where=f"feature set {feature_set}")
    for name in compared:
        if name.lower() not in lower:
            fix = "compute it there, or name it in `without`"
            raise UnknownNameError.of("column", name, columns, where=relation, fix=fix)
    return compared


def features_seen(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Seen]]:
    """The features of each feature set, by rows of `ml.feature_sets` in the order of their versions."""
    known: dict[str, dict[str, Seen]] = {}
    for row in rows:
        of_set = known.setdefault(row["feature_set"], {})
        first = of_set.get(row["feature"])
        of_set[row["feature"]] = Seen(row["type"], first.since if first else int(row["schema_version"]))
    return known


def _counted(among: str, differing: str, example: str, at: int) -> str:
    least = f"MIN(CASE WHEN {differing} THEN {example}.prediction_id END)"
    return f"COUNT_IF({among}) AS n{at}, COUNT_IF({differing}) AS d{at}, {least} AS x{at}"


def _told(feature: str, at: int) -> str:
    return f"STRUCT({feature} AS feature, n{at} AS compared, d{at} AS differing, x{at} AS example)"


def same_sql(seen: str, given: str, type: str) -> str:
    """SQL of whether a feature as seen is that of the tables: two NULLs are the same.

    Args:
        seen: SQL of the feature as it was seen.
        given: SQL of the other value.
        type: The type of the feature.
    """
    given = f"CAST({given} AS {type})"
    same = f"{seen} <=> {given}"
    if type not in ("float", "double"):
        return same
    # NULL where one of them is, which is no sameness.
    near = f"ABS({seen} - {given}) <= {_RELATIVE} * GREATEST(ABS({seen}), ABS({given}))"
    return f"{same} OR COALESCE({near}, FALSE)"
