"""Checks of behaviour on DuckDB, beside pandas, scikit-learn and statsmodels. test_gated_behaviour.py has gates."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from sqlglot import exp, parse_one
from statsmodels.stats.proportion import proportion_confint

from penstock.errors import InvalidDefinitionError, PenstockError, UnknownNameError
from penstock.monitoring.behaviour.definition import check_of, checks_in
from penstock.monitoring.behaviour.judged import Scored, changed, is_changed, judged

DRAW = np.random.default_rng(7)
N = 600
ROWS = pd.DataFrame(
    {
        "score": DRAW.uniform(0, 1, N),
        "label": DRAW.integers(0, 2, N).astype(float),
        "town": [f"t{at}" for at in np.minimum(DRAW.geometric(0.08, N), 40)],
        "miles": DRAW.integers(1, 50, N),
        "place": DRAW.choice(["a", "b", "c"], N),
        "guess": DRAW.choice(["a", "b", "c"], N),
    }
)
ROWS["other"] = ROWS["score"] + DRAW.normal(0, 0.05, N)
ROWS.loc[3, "score"] = np.nan
ROWS.loc[4, "label"] = np.nan


def found(
    kind: str, given: dict[str, Any], rows: pd.DataFrame = ROWS, score: str = "score", **more: Any
) -> dict[str, Any]:
    """The row of a check over rows."""
    con = duckdb.connect()
    con.register("given_rows", rows)
    check = check_of(kind, given, where="here", apart="second" in more)
    more = {name: exp.column(value) if name in ("second", "label") else value for name, value in more.items()}
    query = judged(check, Scored("given_rows", exp.column(score), **more), "duckdb")
    cursor = con.execute(query.sql("duckdb"))
    [row] = cursor.fetchall()
    return dict(zip([each[0] for each in cursor.description], row, strict=True))


@pytest.mark.parametrize("within", [0.02, 0.05, 0.2])
def test_scores_that_move_are_counted(within: float) -> None:
    row = found("stable_under", {"within": within, "max_share": 0.5}, second="other")
    whole = ROWS.dropna(subset="score")
    moved = (whole["other"] - whole["score"]).abs() > within
    low, high = proportion_confint(moved.sum(), len(moved), method="wilson")
    assert (row["rows"], row["value"]) == (N - 1, pytest.approx(moved.mean(), rel=1e-12))
    assert (row["low"], row["high"]) == (pytest.approx(low, rel=1e-9), pytest.approx(high, rel=1e-9))
    assert row["passed"] == (moved.mean() <= 0.5)


def test_answers_that_flip_are_counted_by_the_threshold() -> None:
    row = found("stable_under", {"max_share": 0.1}, second="other", threshold=0.4)
    whole = ROWS.dropna(subset="score")
    flips = (whole["other"] >= 0.4) != (whole["score"] >= 0.4)
    assert row["value"] == pytest.approx(flips.mean(), rel=1e-12)
    classes = found("stable_under", {}, score="place", second="guess")
    assert classes["value"] == pytest.approx((ROWS["place"] != ROWS["guess"]).mean())
    assert not classes["passed"]


@pytest.mark.parametrize(("expect", "sign"), [("higher", 1), ("lower", -1)])
@pytest.mark.parametrize("by", [0.0, 0.03])
def test_scores_that_go_the_wrong_way_are_counted(expect: str, sign: int, by: float) -> None:
    row = found("asymmetric_pairs", {"expect": expect, "by": by}, second="other")
    whole = ROWS.dropna(subset="score")
    assert row["value"] == pytest.approx((sign * (whole["other"] - whole["score"]) < by).mean(), rel=1e-12)


def test_pairs_of_rows() -> None:
    rows = pd.DataFrame(
        [("p", 1, 0.2), ("p", 2, 0.3), ("q", 1, 0.9), ("q", 2, 0.1), (None, 1, 0.5), ("r", 2, 0.4), ("r", 1, 0.4)],
        columns=["pair", "turn", "score"],
    )
    symmetric = found("symmetric_pairs", {"pair": "pair", "within": 0.15}, rows)
    assert (symmetric["value"], symmetric["rows"], symmetric["passed"]) == (pytest.approx(1 / 3), 3, False)
    assert found("symmetric_pairs", {"pair": "pair", "within": 0.15, "max_share": 0.4}, rows)["passed"]
    ordered = {"pair": ["pair"], "first": "turn = 1"}
    assert found("asymmetric_pairs", ordered, rows)["value"] == pytest.approx(1 / 3), "equal scores are in order"
    assert found("asymmetric_pairs", ordered | {"by": 0.05}, rows)["value"] == pytest.approx(2 / 3)
    assert found("asymmetric_pairs", ordered | {"first": "turn = 2"}, rows)["value"] == pytest.approx(1 / 3)
    # What is no pair is not passed over.
    alone = rows[rows["turn"] == 1]
    assert found("symmetric_pairs", {"pair": "pair", "within": 1, "max_share": 1}, alone)["unjudged"] == 3
    both_first = found("asymmetric_pairs", ordered | {"first": "turn > 0", "max_share": 1}, rows)
    assert (both_first["unjudged"], both_first["passed"]) == (3, False)
    without = rows.assign(score=rows["score"].where(rows["score"] != 0.9))
    assert found("symmetric_pairs", {"pair": "pair", "within": 1}, without)["unjudged"] == 1


def test_how_far_mistakes_are() -> None:
    whole = ROWS.dropna(subset=["score", "label"])
    wrong = whole[(whole["score"] >= 0.5) != (whole["label"] == 1)]
    row = found("error_distance_below", {"at_most": 0.5}, label="label", threshold=0.5)
    distances = (wrong["score"] - wrong["label"]).abs()
    half = 1.959963984540054 * distances.std(ddof=1) / np.sqrt(len(distances))
    assert (row["rows"], row["value"]) == (len(whole), pytest.approx(distances.mean(), rel=1e-12))
    assert (row["low"], row["high"]) == (
        pytest.approx(distances.mean() - half),
        pytest.approx(distances.mean() + half),
    )
    assert not row["passed"]
    by_column = found("error_distance_below", {"at_most": 100, "distance": "miles * 2"}, label="label", threshold=0.5)
    assert by_column["value"] == pytest.approx((wrong["miles"] * 2).mean())
    assert by_column["passed"]


def test_distances_among_classes() -> None:
    values = "('a', 'b', 1), ('b', 'a', 1), ('a', 'c', 5), ('c', 'a', 5)"
    known = f"SELECT * FROM (VALUES {values}) AS t (predicted, actual, distance)"
    more = {"label": "place", "distances": parse_one(known)}
    row = found("error_distance_below", {"at_most": 10}, ROWS, "guess", **more)
    wrong = ROWS[ROWS["guess"] != ROWS["place"]]
    bc = set("bc")
    unknown = [{one, other} == bc for one, other in zip(wrong["guess"], wrong["place"], strict=True)]
    assert (row["unjudged"], row["passed"]) == (sum(unknown), False), "what nobody told the distance of"
    others = found(
        "error_distance_below", {"at_most": 10, "where": "guess = 'a' OR place = 'a'"}, ROWS, "guess", **more
    )
    told = wrong[~np.array(unknown)]
    far = [5 if "c" in {one, other} else 1 for one, other in zip(told["guess"], told["place"], strict=True)]
    assert (others["value"], others["passed"]) == (pytest.approx(np.mean(far)), True)
    right = found("error_distance_below", {"at_most": 0}, ROWS, "place", **more)
    assert (right["value"], right["passed"], right["rows"]) == (None, True, N), "without a mistake there is no distance"


@pytest.mark.parametrize("metric", ["accuracy", "recall", "precision"])
def test_the_long_tail_beside_the_rest(metric: str) -> None:
    from sklearn import metrics

    whole = ROWS.dropna(subset=["score", "label"])
    rare = whole.groupby("town")["town"].transform("size") < 12
    asked = {"entity": "town", "rare_below": 12, "metric": metric, "at_least": 0.1}
    row = found("long_tail_at_least", asked, label="label", threshold=0.5)
    of = getattr(metrics, f"{metric}_score")

    def value(rows: pd.DataFrame) -> float:
        return float(of(rows["label"], rows["score"] >= 0.5))

    assert (row["rows"], row["value"]) == (rare.sum(), pytest.approx(value(whole[rare]), rel=1e-12))
    assert row["rest"] == pytest.approx(value(whole[~rare]), rel=1e-12)
    assert row["passed"]
    gap = value(whole[~rare]) - value(whole[rare])
    for most in (max(gap, 0), gap - 0.01):
        if most >= 0:
            beside = found("long_tail_at_least", asked | {"max_gap": most}, label="label", threshold=0.5)
            assert beside["passed"] == (gap <= most)


def test_what_has_no_rows_does_not_pass() -> None:
    none = ROWS[:0]
    for kind, given, more in (
        ("stable_under", {}, {"second": "other"}),
        ("symmetric_pairs", {"pair": "town", "within": 1}, {}),
        ("error_distance_below", {"at_most": 1}, {"label": "label"}),
        ("long_tail_at_least", {"entity": "town", "rare_below": 5, "at_least": 0}, {"label": "label"}),
    ):
        row = found(kind, given, none, **more)
        assert (row["rows"], row["unjudged"], row["passed"]) == (0, 0, False), kind
    no_positives = ROWS[ROWS["label"] == 0]
    asked = {"entity": "town", "rare_below": 9, "metric": "recall", "at_least": 0}
    recall = found("long_tail_at_least", asked, no_positives, label="label", threshold=0.5)
    assert (recall["rows"] > 0, recall["value"], recall["passed"]) == (True, None, False)
    few = found("stable_under", {"max_share": 1, "min_rows": N}, second="other")
    assert not few["passed"], "one is without a score"
    assert found("stable_under", {"max_share": 1, "min_rows": N - 1, "within": 0}, second="other")["passed"]


def test_a_second_form_without_a_score_is_no_stable_one() -> None:
    rows = ROWS.assign(other=ROWS["other"].where(ROWS["miles"] > 2))
    row = found("stable_under", {"within": 100, "max_share": 1}, rows, second="other")
    assert row["unjudged"] == ((ROWS["miles"] <= 2) & ROWS["score"].notna()).sum()
    assert not row["passed"]


def test_inputs_are_changed_under_their_own_names() -> None:
    """The score of changed rows is that of a table in which they are changed."""
    con = duckdb.connect()
    con.register("given_rows", ROWS)
    given = {"change": {"miles": "CASE WHEN place = 'a' THEN miles ELSE miles * 2 END", "place": "upper(place)"}}
    check = check_of("stable_under", given | {"within": 30, "where": "NOT place = 'c'"}, where="here")
    score = parse_one("miles + CASE WHEN place = 'B' THEN 5 ELSE 0 END")
    forms = changed("given_rows", check.changes(), score, "duckdb")
    frame = con.execute(forms.sql("duckdb")).df()
    miles = np.where(ROWS["place"] == "a", ROWS["miles"], ROWS["miles"] * 2)
    assert frame["__score"].tolist() == ROWS["miles"].tolist()
    assert frame["__second"].tolist() == (miles + 5 * (ROWS["place"] == "b")).tolist()
    assert frame["__changed"].all()
    con.register("forms", frame.assign(__changed=frame["place"] == "B"))
    scored = Scored("forms", *(exp.column(name) for name in ("__score", "__second", "__changed")))
    some = check_of("stable_under", {"change": {"miles": "1"}, "within": 30, "max_share": 1}, where="here")
    [(rows, share)] = con.execute(
        f"SELECT rows, value FROM ({judged(some, scored, 'duckdb').sql('duckdb')})"
    ).fetchall()
    is_b = ROWS["place"] == "b"
    assert (rows, share) == (is_b.sum(), pytest.approx((ROWS["miles"][is_b] + 5 > 30).mean()))
    same = is_changed(check_of("stable_under", {"change": {"miles": "miles + 0"}}, where="here").changes())
    counted = con.execute(f"SELECT COUNT(*) FROM given_rows WHERE {same.sql('duckdb')}").fetchall()
    assert counted == [(0,)], "what stays as it is does not count"


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"stable": {}}, "unknown check 'stable'"),
        ({"stable_under": 3}, "its arguments are 3"),
        ({"stable_under": {}}, "what the second form of a row is"),
        ({"stable_under": {"changes": {}}}, "unknown key 'changes'\n.*\n  did you mean: change"),
        ({"stable_under": {"change": {}}}, "change is {}"),
        ({"stable_under": {"change": {"a": "(SELECT 1)"}}}, "can't hold a sub-query"),
        ({"stable_under": {"change": {"a": "1; DROP TABLE t"}}}, "single SQL expression"),
        ({"stable_under": {"change": {"a": "max(a)"}}}, "over many rows"),
        ({"stable_under": {"change": {"a": "1", "A": "2"}}}, "changed twice"),
        ({"stable_under": {"change": {"a": "1"}, "within": -1}}, "within is -1"),
        ({"stable_under": {"change": {"a": "1"}, "max_share": 2}}, "max_share is 2"),
        ({"stable_under": {"change": {"a": "1"}, "max_share": True}}, "max_share is True"),
        ({"stable_under": {"change": {"a": "1"}, "within": float("nan")}}, "within is nan"),
        ({"stable_under": {"change": {"a": "1"}, "where": "a >"}}, "no SQL expression"),
        ({"stable_under": {"change": {"a": "1"}, "name": 3}}, "name is 3"),
        ({"symmetric_pairs": {"pair": "a"}}, "within is missing"),
        ({"symmetric_pairs": {"pair": "a", "change": {"a": "1"}, "within": 1}}, "change and pair are given"),
        ({"asymmetric_pairs": {"pair": "a"}}, "first is missing"),
        ({"asymmetric_pairs": {"change": {"a": "1"}, "first": "b"}}, "first without pair"),
        ({"asymmetric_pairs": {"change": {"a": "1"}, "expect": "up"}}, "unknown expect 'up'"),
        ({"error_distance_below": {}}, "at_most is missing"),
        ({"long_tail_at_least": {"entity": "a", "rare_below": 0, "at_least": 0.5}}, "rare_below is 0"),
        ({"long_tail_at_least": {"entity": [], "rare_below": 1, "at_least": 0.5}}, "entity is \\[\\]"),
        ({"long_tail_at_least": {"entity": "a", "rare_below": 1, "at_least": 0, "metric": "auc"}}, "unknown metric"),
        ({"stable_under": {}, "symmetric_pairs": {}}, "a check of behaviour is"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(declared: Any, said: str) -> None:
    with pytest.raises(PenstockError, match=f"(?s){said}") as error:
        checks_in([declared], where="models/delay.yml, gate")
    assert "models/delay.yml" in error.value.where


def test_lists_of_checks() -> None:
    with pytest.raises(InvalidDefinitionError, match="behaviour is 'all'"):
        checks_in("all", where="here")
    twice = [{"stable_under": {"change": {"a": "a + 1"}}}] * 2
    with pytest.raises(InvalidDefinitionError, match="two checks are named 'stable_under_a'"):
        checks_in(twice, where="here")
    with pytest.raises(UnknownNameError):
        judged(checks_in(twice[:1], where="here")[0], Scored("t", exp.column("p")), "postgres")  # type: ignore[arg-type]
    with pytest.raises(PenstockError, match="needs what came true"):
        judged(check_of("error_distance_below", {"at_most": 1}, where="x"), Scored("t", exp.column("p")), "duckdb")
