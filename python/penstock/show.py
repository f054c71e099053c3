"""How results look in a terminal."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = (int, float, decimal.Decimal)


def console() -> Console:
    """The console of standard output; without a terminal it has a fixed width, so that logs do not wrap."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=140)


def rows(table: pa.Table, *, limit: int | None = None, title: str | None = None) -> RenderableType:
    """An Arrow table as a table of text; a note tells when `limit` cut it."""
    # A table without columns, as of a statement that answers nothing, has no rows to cut either.
    shown = table if limit is None or table.num_rows <= limit else table.slice(0, limit)
    view = columns(shown.to_pydict(), title=title)
    if shown.num_rows == table.num_rows:
        return view
    return Group(view, Text(f"  {shown.num_rows:,} of {table.num_rows:,} rows", style="italic"))


def columns(values: Mapping[str, Sequence[Any]], *, title: str | None = None) -> Table:
    """Columns by name as a table of text, numbers to the right."""
    view = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name, column in values.items():
        numeric = any(isinstance(v, _NUMBER) and not isinstance(v, bool) for v in column)
        view.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in zip(*values.values(), strict=True):
        view.add_row(*(cell(value) for value in row))
    return view


def cell(value: Any) -> str:
    """One value as text: NULL in words, times without a zero clock, floats to four decimals or, if small, digits."""
    if value is None:
        return "NULL"
    if isinstance(value, dt.datetime):
        text = value.replace(tzinfo=None).isoformat(" ", timespec="seconds")
        return text.removesuffix(" 00:00:00")
    if isinstance(value, float):
        if value and not 1e-3 <= abs(value) < 1e15:
            return f"{value:.4g}"
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return str(value)


def sql(text: str) -> Syntax:
    """A statement with its keywords coloured."""
    return Syntax(text, "sql", theme="ansi_dark", background_color="default", word_wrap=True)
