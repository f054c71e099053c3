"""A training set as the record has it, and how it differs from the point-in-time correct one: where, how often and why.

From the log a row's features are those that the model saw, and its label is what came back. From the tables they are
what was known at the row's time. A difference is train/serve skew unless something explains it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import parse_one

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.record.labels import Labels, labels_sql
from penstock.monitoring.record.skew import Seen, compared_features, same_sql
from penstock.monitoring.record.tables import seen_table
from penstock.scoring.functions import literal, quoted

EQUAL, DIFFERS, LATE, OLDER, NOT_LOGGED, NOT_IN_SET, NOT_FINAL = REASONS = (
    "equal",
    "differs",
    "before_data",
    "older_schema",
    "not_logged",
    "not_in_set",
    "not_final",
)
"""What a cell of a row and a column is: equal; without an explanation; logged before the data came that the tables have
by now; of a schema without the feature; of a row that is only in the set; or only in the log; a label that may change.
"""


def rebuilt_sql(
    feature_set: str, features: Sequence[str], *, label: str | None = None, labels: Labels | None = None
) -> str:
    """The query of the training set that the log has: a row a prediction whose features were logged.

    Its columns are `prediction_id`, `at`, `schema_version`, `staleness`, the features, and with labels the label under
    its name, and `matured`.

    Args:
        feature_set: Whose table.
        features: Its features.
        label: The name of the label.
        labels: What it is; both or none are given.

    Raises:
        InvalidRequestError: when one of label and labels is given alone, or as for `labels_sql`.
    """
    if (label is None) != (labels is None):
        raise InvalidRequestError(
            "a label is a column of the set and a kind of feedback", where="label", fix="give both, or none"
        )
    columns = ["prediction_id", "at", "schema_version", "staleness", *map(quoted, features)]
    told = [f"s.{name}" for name in columns]
    joined = ""
    if label is not None and labels is not None:
        told += [f"l.label AS {quoted(label)}", "l.matured AS matured"]
        joined = f" LEFT JOIN ({labels_sql(labels)}) AS l ON l.prediction_id = s.prediction_id"
    query = f"SELECT {', '.join(told)} FROM {seen_table(feature_set, {}).name} AS s{joined}"
    return parse_one(query, dialect="spark").sql("spark", pretty=True)


def cells_sql(
    relation: str,
    columns: Sequence[str],
    feature_set: str,
    features: Mapping[str, Seen],
    *,
    without: Sequence[str] = (),
    label: str | None = None,
    labels: Labels | None = None,
    late: str | None = None,
) -> str:
    """The query of all cells of both sets: `prediction_id`, `at`, `feature`, `why` of `REASONS`, `seen` and `given`.

    Args:
        relation: The point-in-time correct set, as SQL text of Spark, with `prediction_id` and `at`.
        columns: The names of its columns.
        feature_set: Whose table is compared.
        features: Its features.
        without: Features that are not compared.
        label: The column of the set that is its label, which is compared too.
        labels: What it is in the log.
        late: A query of the same set as of the newest that a row's features knew when they were logged, by
            `prediction_id`; where it has what was seen, the data came later.

    Raises:
        UnknownNameError: when the relation has no such key, feature or label, or the set none that is left out.
        InvalidRequestError: when there is nothing to compare.
    """
    compared = compared_features(relation, columns, feature_set, features, without)
    lower = {each.lower(): each for each in columns}
    if label is not None and label.lower() not in lower:
        raise UnknownNameError.of("column", label, columns, where=relation, fix="label: the set's column")
    cells = [
        _cell(name, lower[name.lower()], seen, f"s.schema_version < {seen.since}", OLDER, late is not None)
        for name, seen in compared.items()
    ]
    if label is not None:
        cells.append(_cell(label, lower[label.lower()], Seen("double", 1), "NOT s.matured", NOT_FINAL, False))
    own = "given.prediction_id = s.prediction_id AND given.at = s.at"
    source = f"{relation} AS given FULL JOIN ({rebuilt_sql(feature_set, list(compared), label=label, labels=labels)})"
    source += f" AS s ON {own}"
    if late is not None:
        source += f" LEFT JOIN ({late}) AS late ON late.prediction_id = s.prediction_id"
    key = "COALESCE(given.prediction_id, s.prediction_id) AS prediction_id, COALESCE(given.at, s.at) AS at"
    query = f"SELECT {key}, INLINE(ARRAY({', '.join(cells)})) FROM {source}"
    return parse_one(query, dialect="spark").sql("spark", pretty=True)


def report_sql(cells: str) -> str:
    """The query of the report: of each column how many cells there are of each of `REASONS`, and an example.

    Args:
        cells: As `cells_sql` gives them.

    Returns:
        SQL of a row a feature: `feature`, `rows`, a column a reason, and `example`, the prediction_id, what was seen
        and what the set has, of the least prediction_id that differs without an explanation, or else with one.
    """
    counts = ", ".join(f"COUNT_IF(why = {literal(why)}) AS {why}" for why in REASONS)
    shown = "STRUCT(prediction_id, why, seen, given)"
    example = (
        f"COALESCE(MIN(CASE WHEN why = '{DIFFERS}' THEN {shown} END), MIN(CASE WHEN why <> '{EQUAL}' THEN {shown} END))"
    )
    query = f"SELECT feature, COUNT(*) AS rows, {counts}, {example} AS example FROM ({cells}) GROUP BY feature"
    return parse_one(f"{query} ORDER BY {DIFFERS} DESC, feature", dialect="spark").sql("spark", pretty=True)


def _cell(name: str, column: str, seen: Seen, apart: str, reason: str, late: bool) -> str:
    value, given = f"s.{quoted(name)}", f"given.{quoted(column)}"
    because = [
        ("s.prediction_id IS NULL", NOT_LOGGED),
        ("given.prediction_id IS NULL", NOT_IN_SET),
        (apart, reason),
        (same_sql(value, given, seen.type), EQUAL),
    ]
    if late:
        earlier = f"late.{quoted(column)}"
        because.append((f"late.prediction_id IS NOT NULL AND ({same_sql(value, earlier, seen.type)})", LATE))
    cases = " ".join(f"WHEN {true} THEN '{why}'" for true, why in because)
    texts = f"CAST({value} AS STRING) AS seen, CAST({given} AS STRING) AS given"
    return f"STRUCT({literal(name)} AS feature, CASE {cases} ELSE '{DIFFERS}' END AS why, {texts})"
