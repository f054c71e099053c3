from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from penstock import show


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (dt.datetime(2013, 1, 1), "2013-01-01"),
        (dt.datetime(2013, 1, 1, 7, 30, tzinfo=dt.UTC), "2013-01-01 07:30:00"),
        (0.123456, "0.1235"),
        (1234567.0, "1,234,567"),
        (0.00001234, "1.234e-05"),
        (float("nan"), "nan"),
        (Decimal("1.50"), "1.50"),
        (True, "True"),
    ],
)
def test_cell(value: Any, text: str) -> None:
    assert show.cell(value) == text


def test_rows_say_that_they_were_cut() -> None:
    console = Console(width=60)
    with console.capture() as capture:
        console.print(show.rows(pa.table({"n": list(range(2000))}), limit=3))
    assert "3 of 2,000 rows" in capture.get()


def test_a_statement_without_an_answer_is_not_cut() -> None:
    out = Console(width=60, file=io.StringIO())
    out.print(show.rows(pa.table({}), limit=100))
    assert "rows" not in out.file.getvalue()
