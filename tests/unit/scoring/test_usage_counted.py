"""Figures of what scoring takes: they add up in any order, and none is lost between threads."""

from __future__ import annotations

import threading

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from penstock.scoring.contract import Description, Field, Input, Loaded
from penstock.scoring.live import Live
from penstock.scoring.memory import Models
from penstock.scoring.score import Scoring, score
from penstock.scoring.usage import Counted, Counting, Figures, Use, take

USES = [Use("m", version, "f", "library", user, "") for version in (1, 2) for user in ("ann", "bob")]
NUMBERS = st.none() | st.integers(0, 1000)
FIGURES = st.builds(Figures, st.integers(0, 9), NUMBERS, NUMBERS, NUMBERS)


@given(st.lists(st.tuples(st.sampled_from(USES), FIGURES)), st.randoms())
def test_figures_add_up_in_any_order_and_groups(updates: list[tuple[Use, Figures]], random: object) -> None:
    counting = Counting()
    one: Counted = {}
    for use, figures in updates:
        counting.addInPlace(one, {use: figures})
    other: Counted = {}
    random.shuffle(updates)  # type: ignore[attr-defined]
    for start in range(0, len(updates), 3):
        worker = counting.zero({})
        for use, figures in updates[start : start + 3]:
            counting.addInPlace(worker, {use: figures})
        counting.addInPlace(other, worker)
    assert one == other
    for use in one:
        rows = [figures.rows for each, figures in updates if each == use and figures.rows is not None]
        assert one[use].rows == (sum(rows) if rows else None)


def test_nothing_is_lost_or_counted_twice_between_threads() -> None:
    counting, counted, whole = Counting(), Counted(), Counted()

    def add() -> None:
        for _ in range(5_000):
            counting.addInPlace(counted, {USES[0]: Figures(0, 1, 0, 0.0)})

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        counting.addInPlace(whole, take(counted))
    counting.addInPlace(whole, take(counted))
    assert whole[USES[0]].rows == 15_000


def loaded(live: Live) -> Loaded:
    """A model whose second version gives NaN for what is not positive."""
    described = Description((Input("a", "DOUBLE", required=False),), (Field("prediction", "DOUBLE"),))

    def predict(table: pa.Table, _: object) -> dict[str, object]:
        a = table["a"].to_numpy().copy()
        a[(a <= 0) & (live.version == 2)] = float("nan")
        return {"prediction": a}

    return Loaded(described, predict, 1)


def test_each_version_counts_its_rows_and_those_that_fail() -> None:
    one, two = (f"champion|{version}|library|d{version}|s" for version in (1, 2))
    features = pa.StructArray.from_arrays(
        [pa.array([1.0, None, -1.0, 2.0, -2.0, 3.0])],
        ["a"],
        mask=pa.array([False, False, False, False, False, True]),
    )
    which = pa.array([one, one, two, two, two, two]).dictionary_encode()
    shadow = pa.array([two] * 6).dictionary_encode()
    kind = pa.struct([("prediction", pa.float64()), ("shadow", pa.float64())])
    asked = Scoring("f", "m", ("prediction", "shadow"), kind, on_null="error", on_error="skip", shadowed=True)
    told: list[tuple[str, int, int]] = []

    def count(version: str, rows: int, errors: int, seconds: float) -> None:
        assert 0 <= seconds < 60
        told.append((version, rows, errors))

    score(asked, Models(loaded), which, features, shadow, count=count)
    # A row whose struct is NULL is not scored; the shadow scores the others, and has no policy on NULL.
    assert told == [(one, 2, 1), (two, 3, 2), (two, 5, 3)]
