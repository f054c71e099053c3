"""The door to the record: what is logged is checked, and added once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.errors import InvalidRequestError
from penstock.monitoring.record.append import Rule, append_new
from penstock.monitoring.record.feature_sets import schema_of
from penstock.monitoring.record.ids import feedback_id_sql, prediction_id_sql
from penstock.monitoring.record.incoming import incoming
from penstock.monitoring.record.tables import FEEDBACK, LIVE, PREDICTIONS, ROLES, ensure, seen_table
from penstock.registry.alias_table import aliases_in
from penstock.registry.versions import check_version
from penstock.scoring.functions import ALIASES, literal

_NOW = {"logged_at": "CURRENT_TIMESTAMP()"}
_ENTITY = Rule(
    "SIZE(entity) = 0 OR EXISTS(MAP_VALUES(entity), v -> v IS NULL)",
    "has an entity without a key",
    "give each row the keys of what it is about, by their names",
)


def log_predictions(
    spark: Any,
    rows: Any,
    *,
    model: str | None = None,
    version: int | None = None,
    alias: str | None = None,
    role: str | None = None,
    feature_set: str | None = None,
    inputs: Mapping[str, int] | None = None,
    zone: str | None = None,
) -> int:
    """Add predictions to `ml.predictions`, in one commit; those that it has are passed over.

    Args:
        spark: A session.
        rows: A pandas DataFrame, a pyarrow Table or a Spark DataFrame with columns of the table: at least `at`,
            `entity` (a dictionary of keys), and `model` and `version` unless they are given here. `prediction_id`
            follows from the row; where it is given too, it has to be that.
        model: The registered name, of all rows.
        version: The version that scored all rows.
        alias: The alias under which it was found.
        role: What the predictions are: `live` (unless a column says otherwise), `canary` or `shadow`.
        feature_set: The feature set that they were made from.
        inputs: The Delta version of each table that was read, by its name.
        zone: The time zone that times without one are read in; without it they are refused.

    Returns:
        How many rows were added.

    Raises:
        UnknownNameError: when a column, a model or a version is not known.
        InvalidRequestError: when rows have wrong types, no id, or the id of another row; nothing is written.
        PenstockError: when a column is missing, or `rows` are none.
    """
    from pyspark.sql.functions import expr

    constants = dict(_NOW)
    given = {"model": model, "version": version, "alias": alias, "role": role, "feature_set": feature_set}
    constants |= {name: _constant(value) for name, value in given.items() if value is not None}
    if inputs is not None:
        constants["inputs"] = f"MAP({', '.join(f'{literal(name)}, {int(at)}' for name, at in inputs.items())})"
    names = _names(rows)
    if role is None and "role" not in names:
        constants["role"] = literal(LIVE)
    if "prediction_id" not in names:
        constants["prediction_id"] = "NULL"
    batch = incoming(spark, rows, PREDICTIONS, zone=zone, constants=constants)
    id_of = prediction_id_sql()
    rules = [
        _ENTITY,
        Rule(
            f"role NOT IN ({', '.join(map(literal, ROLES))})",
            "has a role that there is not",
            f"give one of {', '.join(ROLES)}",
        ),
    ]
    if "prediction_id" in names:
        fix = "leave the column out, or fill it with penstock.monitoring.record.ids.prediction_id"
        rules.append(Rule(f"prediction_id <> {id_of}", "has a prediction_id that is not its own", fix))
    else:
        # Where a part is missing there is no id, and the part is what is told.
        batch = batch.withColumn("prediction_id", expr(id_of))
    ensure(spark, PREDICTIONS)
    return append_new(PREDICTIONS, batch, rules=rules, check=lambda found: _check_versions(spark, found))


def log_feedback(spark: Any, rows: Any, *, source: str | None = None, zone: str | None = None) -> int:
    """Add what came true to `ml.feedback`, in one commit; what it has is passed over.

    A correction is a row about the same prediction or entity that arrived later.

    Args:
        spark: A session.
        rows: A pandas DataFrame, a pyarrow Table or a Spark DataFrame with columns of the table: `prediction_id` or
            `entity`, `kind`, `value` or `class`, `event_at`, and `arrived_at`, or else `feedback_id`: what has an id of
            its source may arrive when it is logged.
        source: Who says so, of all rows.
        zone: The time zone that times without one are read in; without it they are refused.

    Returns:
        How many rows were added.

    Raises:
        UnknownNameError: when a column is not known.
        InvalidRequestError: when rows have wrong types, no id, or the id of another row; nothing is written.
        PenstockError: when a column is missing, or `rows` are none.
    """
    from pyspark.sql.functions import expr

    constants = dict(_NOW) | ({} if source is None else {"source": _constant(source)})
    names = _names(rows)
    filled = []
    if "arrived_at" not in names:
        if "feedback_id" not in names:
            raise InvalidRequestError(
                "rows have neither feedback_id nor arrived_at, so that they would be others each time they are logged",
                where=f"rows for {FEEDBACK.name}",
                fix="give the time at which each became known, or the id that its source gives it",
            )
        constants["arrived_at"] = "CURRENT_TIMESTAMP()"
        filled.append("arrived_at")
    own = "feedback_id" in names
    if not own:
        constants["feedback_id"] = "NULL"
    batch = incoming(spark, rows, FEEDBACK, zone=zone, constants=constants)
    if not own:
        batch = batch.withColumn("feedback_id", expr(feedback_id_sql()))
    rules = [
        Rule(
            "prediction_id IS NULL AND entity IS NULL",
            "has neither prediction_id nor entity",
            "say what each row is about",
        ),
        Rule("value IS NULL AND class IS NULL", "has neither value nor class", "say what came true"),
        _ENTITY,
    ]
    ensure(spark, FEEDBACK)
    # A source may give one id to rows that arrived at different times, which is found only in the whole table.
    return append_new(FEEDBACK, batch, rules=rules, filled=filled, bounded=not own)


def log_features(spark: Any, feature_set: str, rows: Any, *, zone: str | None = None) -> int:
    """Add features as a model saw them to the table of their set, in one commit; those that it has are passed over.

    Each row is of the newest schema of the set, unless a column `schema_version` says otherwise.

    Args:
        spark: A session.
        feature_set: The set, as `declare_features` made it.
        rows: A pandas DataFrame, a pyarrow Table or a Spark DataFrame with `prediction_id`, `at`, features by their
            names, and `staleness` in seconds where it is known.
        zone: The time zone that times without one are read in; without it they are refused.

    Returns:
        How many rows were added.

    Raises:
        UnknownNameError: when the set or a column is not known.
        InvalidRequestError: when rows have wrong types, no id, or the id of another row; nothing is written.
        PenstockError: when a column is missing, or `rows` are none.
    """
    schema = schema_of(spark, feature_set)
    table = seen_table(feature_set, dict(schema.features))
    constants = _NOW | {"feature_set": literal(feature_set)}
    filled = []
    if "schema_version" not in _names(rows):
        constants["schema_version"] = str(schema.version)
        filled.append("schema_version")
    batch = incoming(spark, rows, table, zone=zone, constants=constants)
    unknown = Rule(
        f"schema_version NOT BETWEEN 1 AND {schema.version}",
        "is of a schema that there is not",
        f"the newest schema of '{feature_set}' is {schema.version}",
    )
    return append_new(table, batch, rules=[unknown], filled=filled)


def _names(rows: Any) -> tuple[str, ...]:
    """The names of the columns; what is no table has none, and is refused later."""
    return tuple(getattr(rows, "column_names", None) or list(getattr(rows, "columns", ())))


def _constant(value: str | int) -> str:
    return literal(value) if isinstance(value, str) else str(int(value))


def _check_versions(spark: Any, pairs: set[tuple[str, int]]) -> None:
    """Versions that are live are known by the alias table; MLflow is asked for the others only."""
    if spark.catalog.tableExists(ALIASES):
        pairs = pairs - {(model, held.version) for (model, _), held in aliases_in(spark.table(ALIASES)).items()}
    for model, version in sorted(pairs):
        check_version(model, version)
