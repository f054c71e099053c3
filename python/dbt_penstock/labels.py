"""A model of labels, kept up: what its SQL needs to know of the record's tables and of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from penstock.errors import InvalidRequestError
from penstock.monitoring.record.labels import Labels, Versions, labels_table_sql
from penstock.monitoring.record.tables import FEEDBACK, PREDICTIONS

# Delta keeps what was rewritten for seven days by default; what is older may be gone.
_KEPT = timedelta(days=6)
_TOLD = ("label", "label_class", "event_at", "arrived_at")


def labels(asked: Labels, built: str | None, run_query: Any) -> str:
    """The query of the labels that a model has, or of those that its table lacks.

    Args:
        asked: Which.
        built: The model's table, if this run adds to it.
        run_query: dbt's macro.

    Raises:
        InvalidRequestError: when nothing has been logged yet, or a length of time is none.
    """
    for table in (PREDICTIONS, FEEDBACK):
        schema, name = table.name.split(".")
        if not run_query(f"SHOW TABLES IN {schema} LIKE '{name}'").rows:
            raise InvalidRequestError(
                f"nothing has been logged to {table.name} yet",
                where="penstock.labels",
                fix="name the models that log predictions and feedback in its argument `of`, so that they run before",
            )
    now = Versions(*(int(_history(each.name, run_query)[0]["version"]) for each in (PREDICTIONS, FEEDBACK)))
    if built is None:
        return labels_table_sql(asked, now)
    since = run_query(f"SELECT MAX(predictions_version) AS p, MAX(feedback_version) AS f FROM {built}").rows[0]
    held = None if since["p"] is None else Versions(int(since["p"]), int(since["f"]))
    if held is not None and not (
        _told(PREDICTIONS.name, held.predictions, run_query) and _told(FEEDBACK.name, held.feedback, run_query)
    ):
        held = None
    query = labels_table_sql(asked, now, held)
    # Only what differs is merged, so that a build without news commits nothing. What was predicted never differs.
    same = " AND ".join(f"new.{name} <=> held.{name}" for name in ("prediction_id", *_TOLD))
    return f"SELECT new.* FROM ({query}) AS new LEFT ANTI JOIN {built} AS held ON {same}"


def _told(table: str, version: int, run_query: Any) -> bool:
    """Whether Delta tells what came to a table since a version."""
    made = {int(row["version"]): row["timestamp"] for row in _history(table, run_query)}
    now = run_query("SELECT CURRENT_TIMESTAMP() AS now").rows[0]["now"]
    return version in made and now - made[version] < _KEPT


def _history(table: str, run_query: Any) -> Any:
    return run_query(f"DESCRIBE HISTORY {table}").rows
