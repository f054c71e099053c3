"""The Delta tables of the record: predictions, features as they were seen, feedback. Rows are only ever added.

They are clustered by time and not partitioned by day: a day is a day of some time zone, and a small day would be a
small file. Rows come about in the order of time, so each file holds a short time, and Delta's statistics say which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from penstock.errors import InvalidRequestError
from penstock.scoring.functions import SCHEMA, literal, quoted

LIVE, SHADOW, CANARY = ROLES = ("live", "shadow", "canary")


@dataclass(frozen=True)
class Column:
    """A column of a table; `required` says that no row is without it."""

    name: str
    type: str
    comment: str
    required: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the record.

    Attributes:
        name: Its name, as SQL text.
        columns: Its columns, in order.
        key: The columns that tell its rows apart.
        time: The column that its files are clustered by.
        comment: What a row is.
        only_added: Whether rows are never changed.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str
    comment: str
    only_added: bool = True

    def column(self, name: str) -> Column:
        """The column of this name."""
        return next(each for each in self.columns if each.name == name)


_LOGGED = Column("logged_at", "TIMESTAMP", "When the row was written here.", required=True)
# A map and not a struct of keys: one table takes the predictions of models whose entities have different keys.
_ENTITY = "MAP<STRING, STRING>"

PREDICTIONS = Table(
    f"{SCHEMA}.predictions",
    (
        Column("prediction_id", "STRING", "uuid5 of model, version, entity, at and request_id.", required=True),
        Column("request_id", "STRING", "The request that asked for it, if there was one."),
        Column("at", "TIMESTAMP", "The time that the prediction is made for: what is known is known by then.", True),
        Column("entity", _ENTITY, "The keys of what is predicted, by their names.", required=True),
        Column("model", "STRING", "The registered name.", required=True),
        Column("version", "INT", "The version that scored.", required=True),
        Column("alias", "STRING", "The alias under which the version was found."),
        Column(
            "role", "STRING", "live, canary (live for a share of the rows) or shadow (nobody saw it).", required=True
        ),
        Column("prediction", "DOUBLE", "The score: a probability, or the predicted number."),
        Column("class", "STRING", "The predicted class, of a model that gives one."),
        Column("feature_set", "STRING", "The feature set that it was made from."),
        Column("schema_version", "INT", "The version of that feature set's schema."),
        Column("inputs", "MAP<STRING, BIGINT>", "The Delta version of each table that was read."),
        _LOGGED,
    ),
    key=("prediction_id",),
    time="at",
    comment="What was predicted: one row a prediction, never changed.",
)

FEEDBACK = Table(
    f"{SCHEMA}.feedback",
    (
        Column(
            "feedback_id", "STRING", "Tells the row apart; of its content, where the source gives none.", required=True
        ),
        Column("prediction_id", "STRING", "The prediction that it is about, where the source knows it."),
        Column("entity", _ENTITY, "Else the keys of what it is about, by their names."),
        Column("kind", "STRING", "What came true: click, purchase, return, arrival, …", required=True),
        Column("value", "DOUBLE", "How much; 1 or 0 for yes or no."),
        Column("class", "STRING", "Or the class that it turned out to be."),
        Column("event_at", "TIMESTAMP", "When it happened.", required=True),
        Column(
            "arrived_at", "TIMESTAMP", "When it became known. A correction is a row that arrived later.", required=True
        ),
        Column("source", "STRING", "Who says so.", required=True),
        _LOGGED,
    ),
    key=("feedback_id",),
    time="arrived_at",
    comment="What came true: one row a message, never changed; what corrects one is another.",
)

FEATURE_SETS = Table(
    f"{SCHEMA}.feature_sets",
    (
        Column("feature_set", "STRING", "Its name.", required=True),
        Column("schema_version", "INT", "Counts the schemas of the set from 1.", required=True),
        Column("feature", "STRING", "A feature of that schema.", required=True),
        Column("type", "STRING", "The type of its column.", required=True),
        _LOGGED,
    ),
    key=("feature_set", "schema_version", "feature"),
    time="logged_at",
    comment="The schemas of feature sets: one row a feature of each version.",
)

# What a table of features as seen has beside the features.
SEEN = (
    Column("prediction_id", "STRING", "The prediction that was made from them.", required=True),
    Column("at", "TIMESTAMP", "The time of that prediction.", required=True),
    Column("feature_set", "STRING", "The feature set.", required=True),
    Column("schema_version", "INT", "The schema that the row was written by; later features are NULL.", required=True),
    Column("staleness", "DOUBLE", "Seconds between the newest of what the features know, and the prediction."),
    _LOGGED,
)


def seen_table(feature_set: str, features: dict[str, str]) -> Table:
    """The table of a feature set's features as they were seen.

    Args:
        feature_set: Its name.
        features: The type of each feature.

    Raises:
        InvalidRequestError: when the name is none for a table.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", feature_set):
        raise InvalidRequestError(
            f"'{feature_set}' is no name of a feature set",
            where="feature_set",
            fix="use small letters, digits and _: it is part of a table's name",
        )
    columns = tuple(Column(name, type, "A feature, as seen.") for name, type in features.items())
    return Table(
        f"{SCHEMA}.features_{feature_set}",
        (*SEEN, *columns),
        key=("prediction_id", "at"),
        time="at",
        comment=f"The features of '{feature_set}' as models saw them: one row a prediction, never changed.",
    )


def ensure(spark: Any, table: Table) -> None:
    """Make a table, empty, if it is not there."""
    from pyspark.errors import AnalysisException

    if spark.catalog.tableExists(table.name):
        return
    try:
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        spark.sql(_statement(table))
    except AnalysisException:  # somebody makes it at this moment
        if not spark.catalog.tableExists(table.name):
            raise


def _statement(table: Table) -> str:
    columns = ", ".join(
        f"{quoted(each.name)} {each.type}{' NOT NULL' if each.required else ''} COMMENT {literal(each.comment)}"
        for each in table.columns
    )
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name} ({columns}) USING DELTA CLUSTER BY ({quoted(table.time)})"
        f" COMMENT {literal(table.comment)}"
        f" TBLPROPERTIES ('delta.appendOnly' = '{str(table.only_added).lower()}', 'delta.enableTypeWidening' = 'true',"
        " 'delta.enableChangeDataFeed' = 'true')"
    )
