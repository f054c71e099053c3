"""How results look in a terminal."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = (int, float, decimal.Decimal)


def console() -> Console:
    """The console of standard output; without a terminal it has a fixed width, so that logs do not wrap."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=140)


def rows(table: pa.Table, *, limit: int | None = None, title: str | None = None) -> Table:
    """An Arrow table as a table of text; a note tells when `limit` cut it."""
    shown = table if limit is None else table.slice(0, limit)
    cut = f"{shown.num_rows:,} of {table.num_rows:,} rows" if shown.num_rows < table.num_rows else None
    view = Table(title=title, caption=cut, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    columns = [column.to_pylist() for column in shown.columns]
    for name, values in zip(shown.column_names, columns, strict=True):
        numeric = any(isinstance(v, _NUMBER) and not isinstance(v, bool) for v in values)
        view.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in zip(*columns, strict=True):
        view.add_row(*(cell(value) for value in row))
    return view


def cell(value: Any) -> str:
    """One value as text: NULL in words, times without a zero clock, floats with four significant digits after zero."""
    if value is None:
        return "NULL"
    if isinstance(value, dt.datetime):
        text = value.replace(tzinfo=None).isoformat(" ", timespec="seconds")
        return text.removesuffix(" 00:00:00")
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"
    return str(value)


def sql(text: str) -> Syntax:
    """A statement with its keywords coloured."""
    return Syntax(text, "sql", theme="ansi_dark", background_color="default", word_wrap=True)
