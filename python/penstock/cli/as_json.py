"""`--json`: what a command answers, for a program to read. Every value is valid JSON, and no digit is lost.

| value | JSON |
| --- | --- |
| whole numbers, DOUBLE, BOOLEAN, text, NULL | as they are |
| DECIMAL | text, exact: "390.00" |
| NaN and infinities | text: "NaN", "Infinity", "-Infinity" |
| TIMESTAMP | text with its offset: "2026-01-01T00:00:00+00:00"; TIMESTAMP_NTZ without |
| DATE | text: "2026-01-01" |
| BINARY | text, Base64 |
| ARRAY, STRUCT | list, object |
| MAP | object if its keys are texts, otherwise a list of [key, value] |
| intervals of days and less | text: "PT90.5S" |
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from penstock.errors import InvalidRequestError, PenstockError

if TYPE_CHECKING:
    import pyarrow as pa

_ASKED = "penstock.json"


def _remember(ctx: click.Context, _: click.Parameter, asked: bool) -> bool:
    ctx.find_root().meta[_ASKED] = asked
    return asked


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--json` of a command, as its argument `as_json`; errors of the command are JSON then, too."""
    text = "Answer in JSON, errors too, without colour and progress."
    return click.option("--json", "as_json", is_flag=True, is_eager=True, callback=_remember, help=text)(command)


def is_asked_for(ctx: click.Context) -> bool:
    """Whether the command under this context was given `--json`."""
    return bool(ctx.find_root().meta.get(_ASKED))


def of_error(error: PenstockError) -> str:
    """An error as one line."""
    parts = {"what": error.what, "where": error.where, "near": list(error.near), "fix": error.fix}
    return json.dumps({"error": parts}, ensure_ascii=False)


def of_objects(objects: Iterable[Mapping[str, Any]]) -> str:
    """A list of objects of plain values, one a line."""
    return "[" + ",\n ".join(json.dumps(each, ensure_ascii=False, allow_nan=False) for each in objects) + "]"


def of_rows(table: pa.Table) -> str:
    """The rows of an Arrow table as a list of objects.

    Raises:
        InvalidRequestError: when two columns have one name.
    """
    twice = [name for name, count in Counter(table.column_names).items() if count > 1]
    if twice:
        raise InvalidRequestError(
            f"two columns are named '{twice[0]}'", where="--json", fix="give each column a name of its own: … AS name"
        )
    types = {field.name: field.type for field in table.schema}
    return of_objects(
        {name: _value(value, types[name]) for name, value in row.items()}
        for batch in table.to_batches()
        for row in batch.to_pylist()
    )


def _value(value: Any, kind: pa.DataType) -> Any:
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {field.name: _value(value[field.name], field.type) for field in kind}
    if pa.types.is_map(kind):
        pairs = [(_value(key, kind.key_type), _value(item, kind.item_type)) for key, item in value]
        return dict(pairs) if pa.types.is_string(kind.key_type) else [list(pair) for pair in pairs]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [_value(each, kind.value_type) for each in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.date):  # also a datetime
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return f"PT{decimal.Decimal(value // dt.timedelta(microseconds=1)) / 1_000_000}S"
    return f"{value:f}" if isinstance(value, decimal.Decimal) else str(value)
