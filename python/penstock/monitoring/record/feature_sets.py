"""The schemas of feature sets, and how they evolve: columns are added or widened, and rows name the schema they have.

Delta commits to one table at a time. So the tables change first, each only by what it has not yet, and the rows that
say that there is a new schema come last: a command that was cut short is run again, and finishes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.monitoring.record.append import append_new, retried
from penstock.monitoring.record.incoming import incoming
from penstock.monitoring.record.tables import FEATURE_SETS, SEEN, ensure, seen_table
from penstock.scoring.functions import literal, quoted

# What Delta 4.4 widens in place, without a file being written again. BIGINT to DOUBLE loses digits, and is refused.
WIDER: Mapping[str, tuple[str, ...]] = {
    "tinyint": ("smallint", "int", "bigint", "double"),
    "smallint": ("int", "bigint", "double"),
    "int": ("bigint", "double"),
    "float": ("double",),
}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


@dataclass(frozen=True)
class FeatureSchema:
    """A version of the schema of a feature set.

    Attributes:
        version: Its number, from 1; 0 of a set that nobody has declared.
        features: The type of each feature, as Spark writes it.
    """

    version: int
    features: Mapping[str, str]


def declare_features(spark: Any, feature_set: str, features: Mapping[str, str]) -> FeatureSchema:
    """Make the table of a feature set's features as they are seen, `ml.features_<feature_set>`, with schema 1.

    It may be called again; nothing happens then.

    Args:
        spark: A session.
        feature_set: Its name.
        features: The type of each feature, in SQL.

    Raises:
        InvalidDefinitionError: when the set has another schema, or a name or type is none.
    """
    wanted = _typed(features, feature_set)
    ensure(spark, FEATURE_SETS)
    schema = _newest(spark, feature_set)
    if schema.version and schema.features != wanted:
        raise InvalidDefinitionError(
            f"feature set '{feature_set}' has another schema, of version {schema.version}",
            where=", ".join(f"{name} {type}" for name, type in schema.features.items()),
            fix="evolve(spark, feature_set, add=…, retype=…) makes a new version",
        )
    ensure(spark, seen_table(feature_set, wanted))
    return schema if schema.version else _record(spark, feature_set, FeatureSchema(1, wanted))


def is_declared(spark: Any, feature_set: str) -> bool:
    """Whether a feature set has a schema."""
    return _newest(spark, feature_set).version > 0


def schema_of(spark: Any, feature_set: str) -> FeatureSchema:
    """The newest schema of a feature set.

    Raises:
        UnknownNameError: when nobody has declared it.
    """
    schema = _newest(spark, feature_set)
    if not schema.version:
        there = spark.catalog.tableExists(FEATURE_SETS.name)
        rows = spark.table(FEATURE_SETS.name).select("feature_set").distinct().collect() if there else []
        known = [row["feature_set"] for row in rows]
        fix = "declare_features(spark, feature_set, {name: type}) makes it"
        raise UnknownNameError.of("feature set", feature_set, known, where=FEATURE_SETS.name, fix=fix)
    return schema


def evolve(
    spark: Any,
    feature_set: str,
    *,
    add: Mapping[str, str] | None = None,
    retype: Mapping[str, str] | None = None,
    tables: Sequence[str] = (),
) -> FeatureSchema:
    """Add features to a set, or widen the types of some: in the table of what was seen and in those named, at once.

    Rows that are there are not written again: a feature that they do not have is NULL, and a widened one is read in its
    new type. Run again after it was cut short, it finishes; run again after that, it does nothing.

    Args:
        spark: A session.
        feature_set: The set, as `declare_features` made it.
        add: The type of each new feature.
        retype: The new, wider type of features of the set.
        tables: Other Delta tables with the set's features as columns, such as a training set that is kept up.

    Returns:
        The newest schema, with a version of its own when something is new.

    Raises:
        UnknownNameError: when the set, or a feature to widen, is not known.
        InvalidRequestError: when a new feature is there with another type, or a type is not wider; nothing is changed.
        InvalidDefinitionError: when a name or type is none.
    """
    held = schema_of(spark, feature_set)
    added, retyped = _typed(add or {}, feature_set), _typed(retype or {}, feature_set)
    where = f"feature set {feature_set}"
    for name, type in retyped.items():
        if name not in held.features:
            raise UnknownNameError.of("feature", name, held.features, where=where)
        _check_wider(name, held.features[name], type, where)
    lower = {name.lower(): name for name in held.features}
    for name, type in added.items():
        there = lower.get(name.lower())
        if there is not None and (there, held.features[there]) != (name, type):
            fix = "retype it" if there == name else "give it another name"
            raise InvalidRequestError(f"feature '{there}' is there as {held.features[there]}", where=where, fix=fix)
    wanted = {**held.features, **retyped, **added}
    changes = [(each, _changes(spark, each, wanted, {**retyped, **added})) for each in _flow(feature_set, tables)]
    for table, statements in changes:
        for statement in statements:
            retried(table, partial(_run, spark, statement))
    return held if wanted == held.features else _record(spark, feature_set, FeatureSchema(held.version + 1, wanted))


def _flow(feature_set: str, tables: Sequence[str]) -> list[str]:
    return [seen_table(feature_set, {}).name, *tables]


def _changes(spark: Any, table: str, wanted: Mapping[str, str], changed: Mapping[str, str]) -> list[str]:
    """The statements that give a table what it has not; all are known before the first one runs."""
    has = {name.lower(): type for name, type in spark.table(table).dtypes}
    new = [name for name in changed if name.lower() not in has]
    widened = [name for name in changed if has.get(name.lower(), wanted[name]) != wanted[name]]
    for name in widened:
        _check_wider(name, has[name.lower()], wanted[name], table)
    statements = []
    if new:
        columns = ", ".join(f"{quoted(name)} {wanted[name]} COMMENT 'A feature, as seen.'" for name in new)
        statements.append(f"ALTER TABLE {table} ADD COLUMNS ({columns})")
    if widened:
        statements.append(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')")
    statements += [f"ALTER TABLE {table} ALTER COLUMN {quoted(name)} TYPE {wanted[name]}" for name in widened]
    return statements


def _check_wider(name: str, held: str, wanted: str, where: str) -> None:
    decimals = [_DECIMAL.fullmatch(each) for each in (held, wanted)]
    if all(decimals):
        (p, s), (q, t) = ((int(each[1]), int(each[2])) for each in decimals if each is not None)
        wider: bool = t >= s and q - t >= p - s
    else:
        wider = wanted == held or wanted in WIDER.get(held, ())
    if not wider:
        raise InvalidRequestError(
            f"feature '{name}' is {held}, which {wanted} does not hold all values of",
            where=where,
            near=WIDER.get(held, ()),
            fix="add a feature with a name of its own: old rows keep what they have",
        )


def _typed(features: Mapping[str, str], feature_set: str) -> dict[str, str]:
    """The features with their types as Spark writes them."""
    from pyspark.errors import PySparkException
    from pyspark.sql.types import DataType, StructType

    typed, taken = {}, {each.name.lower() for each in SEEN}
    for name, type in features.items():
        where = f"feature {name} of {feature_set}"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name.lower() in taken:
            raise InvalidDefinitionError(
                f"'{name}' is no name of a feature, or one that is taken",
                where=where,
                fix=f"use letters, digits and _, and none of {', '.join(sorted(taken))}",
            )
        taken.add(name.lower())
        try:
            parsed = DataType.fromDDL(type)
        except PySparkException:
            parsed = None
        if parsed is None or isinstance(parsed, StructType):
            raise InvalidDefinitionError(
                f"'{type}' is no type of a feature", where=where, fix="write it as in SQL: DOUBLE"
            )
        typed[name] = parsed.simpleString()
    return typed


def _newest(spark: Any, feature_set: str) -> FeatureSchema:
    if not spark.catalog.tableExists(FEATURE_SETS.name):
        return FeatureSchema(0, {})
    rows = spark.table(FEATURE_SETS.name).where(f"feature_set = {literal(feature_set)}").collect()
    version = max((row["schema_version"] for row in rows), default=0)
    types = {row["feature"]: row["type"] for row in rows if row["schema_version"] == version}
    return FeatureSchema(version, dict(sorted(types.items())))


def _record(spark: Any, feature_set: str, schema: FeatureSchema) -> FeatureSchema:
    rows = [(feature_set, schema.version, name, type) for name, type in schema.features.items()]
    frame = spark.createDataFrame(rows, "feature_set STRING, schema_version INT, feature STRING, type STRING")
    now = {"logged_at": "CURRENT_TIMESTAMP()"}
    append_new(FEATURE_SETS, incoming(spark, frame, FEATURE_SETS, zone=None, constants=now), bounded=False)
    return _newest(spark, feature_set)


def _run(spark: Any, statement: str) -> int:
    spark.sql(statement)
    return 0
