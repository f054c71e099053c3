"""What may be asked of labels, and what their query reads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlglot import exp, parse_one

from penstock.errors import PenstockError
from penstock.monitoring.record.labels import Labels, aside_sql, labels_sql


@pytest.mark.parametrize("query", [labels_sql, aside_sql])
def test_both_tables_are_read_as_of_one_instant(query: object) -> None:
    assert callable(query)
    sql = query(Labels("click", "1 day", as_of=datetime(2026, 1, 1, tzinfo=UTC), model="it's"))
    for table, column in (("predictions", "at"), ("feedback", "arrived_at")):
        (read,) = [each for each in parse_one(sql, dialect="spark").find_all(exp.Table) if each.sql() == f"ml.{table}"]
        select = read.find_ancestor(exp.Select)
        assert select is not None
        assert f"{column} <= TIMESTAMP_MICROS(1767225600000000)" in select.args["where"].sql("spark")
    assert "CURRENT_TIMESTAMP() AS as_of" in query(Labels("click", "1 day"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"horizon": "1 month"}, "a month has no fixed length"),
        ({"horizon": "1 day", "window": "soon"}, "'soon' is no length of time"),
        ({"horizon": "1 day", "as_of": datetime(2026, 1, 1)}, "has no time zone"),
    ],
)
def test_what_has_no_answer_is_refused(asked: dict[str, object], said: str) -> None:
    with pytest.raises(PenstockError, match=said):
        labels_sql(Labels("click", **asked))  # type: ignore[arg-type]
