from __future__ import annotations

import pytest

from penstock.errors import PenstockError, UnknownNameError, nearest


def test_message_has_what_where_near_misses_and_fix() -> None:
    error = UnknownNameError.of("metric", "on_time_rat", ["on_time_rate", "flights"], where="query", fix="list them")
    assert str(error) == (
        "unknown metric 'on_time_rat'\n  where: query\n  did you mean: on_time_rate\n  fix: list them"
    )
    assert isinstance(error, KeyError)
    assert isinstance(error, PenstockError)


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("carier", ["carrier", "origin"], ("carrier",)),
        ("zzz", ["carrier", "origin"], ("carrier", "origin")),  # few and none near: all of them
        ("zzz", [f"name_{i}" for i in range(9)], ()),  # many and none near: none
    ],
)
def test_nearest(name: str, known: list[str], expected: tuple[str, ...]) -> None:
    assert nearest(name, known) == expected
