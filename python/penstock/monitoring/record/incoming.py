"""Rows that are handed in, as rows of a table of the record: the columns by name, the types, the time zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from penstock.errors import InvalidRequestError, PenstockError, UnknownNameError, nearest
from penstock.monitoring.record.tables import Table
from penstock.scoring.functions import literal, quoted

UNFIT = "__unfit"
_WHOLE = ("tinyint", "smallint", "int", "bigint")
_TEXT = ("string",)
_TIMES = ("timestamp", "timestamp_ntz")
# What a column of a type is taken from, as Spark writes types; another type only from itself.
_TAKEN: Mapping[str, tuple[str, ...]] = {
    "STRING": _TEXT,
    "TINYINT": _WHOLE,
    "SMALLINT": _WHOLE,
    "INT": _WHOLE,
    "BIGINT": _WHOLE,
    "FLOAT": ("float",),
    "DOUBLE": (*_WHOLE, "float", "double", "boolean"),
    "TIMESTAMP": _TIMES,
}


def incoming(spark: Any, rows: Any, table: Table, *, zone: str | None, constants: Mapping[str, str]) -> Any:
    """The rows as a DataFrame with all columns of a table; those that are not given are NULL.

    A further column, `UNFIT`, says of a row which number is too large for its column.

    Args:
        spark: A session.
        rows: A pandas DataFrame, a pyarrow Table or a Spark DataFrame.
        table: The table.
        zone: The time zone that times without one are read in.
        constants: SQL of columns that are the same in all rows.

    Raises:
        UnknownNameError: when a column is none of the table's.
        InvalidRequestError: when a column has another type, is given twice, or is a time without a zone.
        PenstockError: when a required column is not given, or the rows are none of these.
    """
    where = f"rows for {table.name}"
    _check_zone(zone)
    frame = _frame(spark, rows, zone, where)
    types = dict(frame.dtypes)
    names = [each.name for each in table.columns]
    for name in types:
        if name not in names:
            fix = "leave it out, or give it the name of a column of the table"
            raise UnknownNameError.of("column", name, names, where=where, fix=fix)
        if name in constants:
            raise InvalidRequestError(
                f"'{name}' is given for all rows and as a column", where=where, fix="give it once"
            )
    if len(types) < len(frame.columns):
        raise InvalidRequestError("two columns have one name", where=where, fix="rename one")
    selected, unfit = [], ["NULL"]
    for column in table.columns:
        if column.name in constants:
            value = f"CAST({constants[column.name]} AS {column.type})"
        elif column.name in types:
            value = _taken(column.name, column.type.upper(), types[column.name], zone, where)
            if value.startswith("TRY_CAST"):
                given = quoted(column.name)
                shown = f"CONCAT({literal(f'{column.name} ')}, {given})"
                unfit.append(f"IF({value} IS NULL AND {given} IS NOT NULL, {shown}, NULL)")
        elif column.required:
            raise PenstockError(
                f"column '{column.name}' is not given",
                where=where,
                near=nearest(column.name, types),
                fix=f"each row needs it: {column.comment}",
            )
        else:
            value = f"CAST(NULL AS {column.type})"
        selected.append(f"{value} AS {quoted(column.name)}")
    return frame.selectExpr(*selected, f"CAST(COALESCE({', '.join(unfit)}) AS STRING) AS {UNFIT}")


def _frame(spark: Any, rows: Any, zone: str | None, where: str) -> Any:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame

    if isinstance(rows, DataFrame):
        return rows
    if isinstance(rows, pd.DataFrame):
        try:
            rows = pa.Table.from_pandas(rows, preserve_index=False)
        except (pa.ArrowException, ValueError) as error:
            raise InvalidRequestError(
                f"the rows have no types: {error.args[0]}", where=where, fix="give all values of a column one type"
            ) from None
    if not isinstance(rows, pa.Table):
        raise PenstockError(
            f"rows are no {type(rows).__name__}",
            where=where,
            fix="give a pandas DataFrame, a pyarrow Table or a Spark DataFrame",
        )
    columns = [_times(values, name, zone, where) for name, values in zip(rows.column_names, rows.columns, strict=True)]
    return spark.createDataFrame(pa.Table.from_arrays(columns, names=rows.column_names))


def _times(values: Any, name: str, zone: str | None, where: str) -> Any:
    """Times as instants in microseconds: Spark would read those without a zone as of the session's."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(values.type):
        return values
    values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    if values.type.tz is not None:
        return values
    if zone is None:
        raise _without_zone(name, where)
    try:
        return pc.assume_timezone(values, zone, ambiguous="earliest")
    except pa.ArrowInvalid as error:
        raise InvalidRequestError(
            f"column '{name}' has a time that {zone} never had: {error.args[0]}", where=where, fix="give times in UTC"
        ) from None


def _taken(name: str, wanted: str, given: str, zone: str | None, where: str) -> str:
    """The value of a given column as SQL in the type of the table's."""
    value = quoted(name)
    if given == "void":
        return f"CAST(NULL AS {wanted})"
    if wanted.startswith("MAP"):
        taken = _map(value, wanted, given)
        if taken is not None:
            return taken
    elif given == "timestamp_ntz" and wanted == "TIMESTAMP":
        if zone is None:
            raise _without_zone(name, where)
        return f"CAST(CONCAT(CAST({value} AS STRING), {literal(f' {zone}')}) AS TIMESTAMP)"
    elif given in _TAKEN.get(wanted, ()) or given == _written(wanted):
        return f"TRY_CAST({value} AS {wanted})" if given in _WHOLE else f"CAST({value} AS {wanted})"
    raise InvalidRequestError(
        f"column '{name}' is {given.upper()}, not {wanted}", where=where, fix=f"give it as {wanted}"
    )


def _map(value: str, wanted: str, given: str) -> str | None:
    """A map, or a struct, which pandas' dictionaries become; what a struct has no value for is no key of the map."""
    from pyspark.sql.types import DataType, MapType, StructType

    of = DataType.fromDDL(given)
    taken = (*_WHOLE, *(_TEXT if wanted == "MAP<STRING, STRING>" else ()))
    if isinstance(of, MapType) and of.keyType.simpleString() in _TEXT and of.valueType.simpleString() in taken:
        return f"CAST({value} AS {wanted})"
    if isinstance(of, StructType) and all(each.dataType.simpleString() in taken for each in of):
        entries = [f"{literal(each.name)}, CAST({value}.{quoted(each.name)} AS STRING)" for each in of]
        some = f"MAP_FILTER(MAP({', '.join(entries)}), (k, v) -> v IS NOT NULL)"
        return f"IF({value} IS NULL, NULL, CAST({some} AS {wanted}))"
    return None


def _written(type: str) -> str:
    from pyspark.sql.types import DataType

    return str(DataType.fromDDL(type).simpleString())


def _without_zone(name: str, where: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"column '{name}' has times without a time zone, and it is not said how they are read",
        where=where,
        fix="give times with a zone, or say it: zone='UTC'",
    )


def _check_zone(zone: str | None) -> None:
    try:
        if zone is not None:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        fix = "name it as the time zone database does: Europe/Berlin"
        raise UnknownNameError.of("time zone", zone or "", available_timezones(), where="zone", fix=fix) from None
