"""What a report collects, on DuckDB, beside scikit-learn and pandas and the tables that it tells of; and its bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from reported import (
    CHANGED,
    DRIFT,
    GATE,
    NOW,
    SCORED,
    START,
    belonging,
    connected,
    engine_of,
    example,
    frame,
    known,
    small,
)
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss, roc_auc_score

from penstock.monitoring.report.belongs import DataTest
from penstock.monitoring.report.calibrated import Calibration, calibration_of
from penstock.monitoring.report.collected import Collected, collect
from penstock.monitoring.report.drifted import FEATURES, WINDOWS, Drift, drift_of
from penstock.monitoring.report.engine import Engine, Missing
from penstock.monitoring.report.performed import MOST, Performance, Reading, performance_of
from penstock.monitoring.report.recorded import DECISIONS, USES, decisions_on, results_of, trained_in, uses_of
from penstock.monitoring.report.sliced import Slices

READING = Reading(SCORED, "delay", ("auc", "log_loss"), numbers=False, threshold=0.5, at=NOW)


@pytest.fixture(scope="module")
def report() -> Collected:
    return example()


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    given = frame()
    given["final"] = given.is_late.notna() & (given.final_at <= NOW)
    given["day"] = given["at"].dt.floor("D")
    return given


@pytest.fixture
def empty() -> Iterator[Engine]:
    with duckdb.connect() as connection:
        yield engine_of(connection)


def performance(report: Collected) -> Performance:
    assert isinstance(report.performance, Performance)
    return report.performance


def test_labels_are_counted_by_day(report: Collected, rows: pd.DataFrame) -> None:
    told = performance(report)
    assert told.bucket == "day"
    counted = rows.groupby("day").agg(rows=("at", "size"), labelled=("is_late", "count"), final=("final", "sum"))
    assert [(each.start, each.rows, each.labelled, each.final) for each in told.periods] == [
        (day, int(n), int(labelled), int(final)) for day, n, labelled, final in counted.itertuples()
    ]
    assert 0 < told.periods[-5].final < told.periods[-5].labelled  # that day's labels become final from noon on
    assert told.newest == told.periods[-6]  # the newest with a hundred of them


def test_realised_values_are_those_of_final_labels(report: Collected, rows: pd.DataFrame) -> None:
    final = rows[rows.final]
    for each in performance(report).periods:
        own = final[final.day == each.start]
        if own.empty:
            assert each.realised == {}
            continue
        assert each.realised["auc"].value == pytest.approx(roc_auc_score(own.is_late, own.p_late), rel=1e-9)
        assert each.realised["log_loss"].value == pytest.approx(log_loss(own.is_late, own.p_late), rel=1e-9)
        assert each.realised["log_loss"].rows == len(own)


def test_estimates_are_of_a_calibration_by_the_older_half(report: Collected, rows: pd.DataFrame) -> None:
    told = performance(report)
    labelled = [each.start for each in told.periods if each.final]
    until = labelled[(len(labelled) - 1) // 2] + timedelta(days=1)
    assert told.fitted_until == until
    assert all(bool(each.estimated) == (each.start >= until) for each in told.periods)
    assert told.periods[-1].estimated["auc"].rows == told.periods[-1].rows  # no label has come there
    # The fit is of a thousand bins of scores, in which that of the rows is nearly the same.
    older = rows[rows.final & (rows["at"] < until)]
    fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(older.p_late, older.is_late)
    for each in told.periods[-8:]:
        own = rows[rows.day == each.start]
        assert each.estimated["log_loss"].value == pytest.approx(_expected_loss(own, fit), abs=0.01)


def _expected_loss(own: pd.DataFrame, fit: Any) -> float:
    chance = fit.predict(own.p_late)
    return float(-np.mean(chance * np.log(own.p_late) + (1 - chance) * np.log(1 - own.p_late)))


def test_calibration_is_shown_of_rows_that_it_was_not_fitted_to(report: Collected, rows: pd.DataFrame) -> None:
    told = report.calibration
    assert isinstance(told, Calibration)
    later = rows[rows.final & (rows["at"] >= performance(report).fitted_until)]
    assert told.sides["scores"].rows == told.sides["calibrated"].rows == len(later)
    cells = (later.p_late * 10).clip(0, 9).astype(int)
    gaps = later.groupby(cells).apply(lambda own: abs(own.is_late.sum() - own.p_late.sum()), include_groups=False)
    assert told.sides["scores"].ece == pytest.approx(gaps.sum() / len(later), rel=1e-9)
    assert told.sides["calibrated"].ece < told.sides["scores"].ece
    for each in told.sides["scores"].bins:
        own = later[cells == each.bin]
        assert (each.rows, each.positives) == (len(own), pytest.approx(own.is_late.mean(), rel=1e-9))
        assert each.low < each.positives < each.high
    spread = later.groupby((later.p_late * 25).clip(0, 24).astype(int)).size()
    assert {each.bin: each.rows for each in told.scores} == spread.to_dict()


def test_slices_are_worst_first(report: Collected, rows: pd.DataFrame) -> None:
    told = report.slices
    assert isinstance(told, Slices)
    final = rows[rows.final]
    assert told.overall.rows == len(final)
    worst = told.worst[0]
    assert (worst.slice, worst.slice_value, worst.judged) == ("carrier", "DL", True)
    own = final[final.carrier == "DL"]
    assert worst.value == pytest.approx(roc_auc_score(own.is_late, own.p_late), abs=1e-3)  # of tiles
    assert {(each.slice, each.slice_value) for each in told.worst} >= {
        ("origin", None),
        ("carrier", "<script>alert(1)</script>"),
    }
    assert told.left_out == 0


def drift(report: Collected) -> Drift:
    [(_, told)] = report.drifts
    assert isinstance(told, Drift)
    return told


def test_drift_is_that_of_its_table(report: Collected) -> None:
    told = drift(report)
    stored = connected(frame()).sql("SELECT * FROM delay_drift WHERE segment = 'all'").df()
    assert told.all_windows == stored.window_end.nunique() == len(told.windows)
    assert list(told.windows) == sorted(stored.window_end.unique())
    assert len(told.cells) == len(stored)
    for row in stored.itertuples():
        cell = told.cells[row.feature, row.window_end.to_pydatetime()]
        assert (cell.size, cell.rows) == (row.js, row.current_rows)
        assert cell.p == pytest.approx(row.p_adjusted, rel=1e-12)  # sums in another order round otherwise
        assert told.is_drift(cell) == (row.p_adjusted <= 0.01 and row.js > 0.1)
    assert (told.features, told.all_features, told.drifted) == (("distance", "shop"), 2, 1)
    assert [(each.segment, each.value, each.feature) for each in told.places] == [("origin", "B", "distance")]


def test_histograms_are_of_the_reference_and_the_newest_window(report: Collected, rows: pd.DataFrame) -> None:
    shop = drift(report).looked[1]
    assert shop.feature == "shop"
    trained = rows[rows["at"] < CHANGED - timedelta(days=5)]
    newest = rows[rows["at"] >= START + timedelta(days=21)]
    for value in ("a", 'it"s & <b>', "c"):
        [own] = [each for each in shop.bins if each.label == value]
        assert own.reference == pytest.approx((trained["shop"] == value).mean())
        assert own.current == pytest.approx((newest["shop"] == value).mean())


def test_a_change_is_found_when_and_where_it_began(report: Collected) -> None:
    distance, shop = drift(report).looked
    assert distance.cause is not None
    assert (distance.cause.start, distance.cause.bin[:5]) == (CHANGED, "above")
    [(segment, value, share)] = distance.cause.blamed
    assert (segment, value) == ("origin", "B")
    assert share > 0.9
    assert shop.cause is None


def test_nothing_that_grows_leaves_the_engine() -> None:
    """Of 300 features and a year of windows, and of 90 slices, what is drawn comes out."""
    connection = duckdb.connect()
    connection.register("given", frame(days=100, rows=1_500))
    connection.execute(
        "CREATE TABLE delay_drift AS SELECT TIMESTAMP '2025-01-01' + INTERVAL (w) DAY AS window_end, segment,"
        " CASE WHEN segment = 'all' THEN NULL ELSE 'v' || f END AS value, 'f' || f AS feature, f / 300.0 AS js,"
        " 0.001 AS p_adjusted, 10 AS current_rows"
        " FROM range(300) AS fs(f), range(365) AS ws(w), (VALUES ('all'), ('origin')) AS s(segment)"
    )
    connection.execute("CREATE TABLE other AS SELECT *, 'c' || (distance::INT % 90) AS cell FROM given")
    [(cells,)] = connection.sql("SELECT COUNT(DISTINCT cell) FROM other WHERE NOT isnan(is_late)").fetchall()
    most: list[int] = []
    engine = engine_of(connection)

    def counting(query: Any) -> Any:
        answer = engine.ask(query)
        most.append(answer.num_rows)
        return answer

    scored = replace(SCORED, relation="other", slices=("cell",))
    found = collect(replace(belonging(), scored=scored), known(at=datetime(2028, 1, 1)), replace(engine, ask=counting))
    told = drift(found)
    assert told.features[:2] == ("f299", "f298")
    assert (len(told.features), told.all_features, len(told.windows), told.all_windows) == (FEATURES, 300, WINDOWS, 365)
    assert told.drifted == 269
    assert isinstance(found.slices, Slices)
    assert (len(found.slices.worst), found.slices.left_out) == (30, cells - 30)
    assert max(most) <= FEATURES * WINDOWS


@pytest.mark.parametrize(("days", "bucket"), [(2, "hour"), (50, "day"), (400, "week"), (900, "month")])
def test_periods_are_as_short_as_may_be_drawn(days: int, bucket: str) -> None:
    connection = duckdb.connect()
    connection.register("given", frame(days=days, rows=1_000))
    connection.execute("CREATE TABLE scored AS SELECT * FROM given")
    told = performance_of(replace(READING, metrics=("log_loss",)), engine_of(connection))
    assert isinstance(told, Performance)
    assert (told.bucket, told.is_cut) == (bucket, False)
    assert len(told.periods) <= MOST


def test_rows_that_the_version_was_trained_on_do_not_count() -> None:
    told = performance_of(replace(READING, since=datetime(2026, 1, 20), metrics=("auc",)), small())
    assert isinstance(told, Performance)
    assert told.periods[0].start == datetime(2026, 1, 20)
    missing = performance_of(replace(READING, since=datetime(2027, 1, 1)), small())
    assert isinstance(missing, Missing)
    assert missing.what.startswith("scored has no rows from 2027-01-01 00:00 on")


def test_without_a_final_label_the_rest_is_shown() -> None:
    connection = duckdb.connect()
    connection.register("given", frame(rows=300))
    connection.execute("CREATE TABLE scored AS SELECT * FROM given")
    connection.execute("UPDATE scored SET is_late = NULL")
    told = collect(belonging(), known(), engine_of(connection))
    assert performance(told).fitted_until is None
    assert performance(told).newest is None
    assert told.calibration == told.slices == Missing("no label is final yet")


def test_numbers_have_their_own_metrics_and_no_calibration() -> None:
    reading = replace(READING, numbers=True, metrics=("rmse", "mean_error"))
    told = performance_of(reading, small())
    assert isinstance(told, Performance)
    given = frame(rows=800)
    own = given[given.is_late.notna() & (given.final_at <= NOW) & (given["at"] < START + timedelta(days=1))]
    assert told.periods[0].realised["rmse"].value == pytest.approx(math.sqrt(((own.p_late - own.is_late) ** 2).mean()))
    assert told.periods[0].estimated == {}
    missing = calibration_of(reading, told, small())
    assert missing == Missing("the model predicts numbers, which are no probabilities")


def test_the_record_is_read_without_shadow_and_other_models() -> None:
    connection = duckdb.connect()
    connection.register("scored", frame(rows=300))
    connection.execute(
        'CREATE TABLE labels AS SELECT "at", p_late AS prediction, is_late AS label, final_at,'
        " CASE WHEN distance::INT % 2 = 0 THEN 'live' WHEN distance::INT % 3 = 0 THEN 'canary' ELSE 'shadow' END AS"
        " role, CASE WHEN distance::INT % 5 = 0 THEN 'other' ELSE 'delay' END AS model FROM scored"
    )
    scored = type(SCORED)("labels", "labels", final="final_at", is_record=True)
    told = performance_of(replace(READING, scored=scored), engine_of(connection))
    [(n,)] = connection.sql("SELECT COUNT(*) FROM labels WHERE role <> 'shadow' AND model = 'delay'").fetchall()
    assert isinstance(told, Performance)
    assert sum(each.rows for each in told.periods) == n


def test_drift_of_versions_is_that_of_the_live_one() -> None:
    connection = connected(frame(rows=2_000))
    for table in ("delay_drift", "delay_tiles", "delay_baseline"):
        halved = "REPLACE (js / 2 AS js)" if table == "delay_drift" else ""
        connection.execute(f"CREATE OR REPLACE TEMP TABLE old AS SELECT * FROM {table}")
        connection.execute(
            f"CREATE OR REPLACE TABLE {table} AS SELECT *, 1 AS version FROM old"
            f" UNION ALL SELECT * {halved}, 2 AS version FROM old"
        )
    one, two = (drift_of(DRIFT, version, engine_of(connection)) for version in (1, 2))
    assert isinstance(one, Drift)
    assert isinstance(two, Drift)
    place = ("distance", one.windows[-1])
    assert two.cells[place].size == one.cells[place].size / 2  # type: ignore[operator]
    assert one.looked == two.looked  # each of its own tiles, which are the same


def test_what_is_not_built_is_missing(empty: Engine) -> None:
    told = collect(belonging(), known(), empty)
    assert (
        told.performance
        == told.slices
        == told.calibration
        == Missing("scored is not built", "dbt build --select +scored")
    )
    assert dict(told.drifts) == {"delay_drift": Missing("delay_drift is not built", "dbt build --select +delay_drift")}
    assert (told.trained, told.decisions, told.uses) == ((), (), ())
    nothing = collect(replace(belonging(), scored=None), known(), empty)
    assert "no predictions are logged" in nothing.performance.what  # type: ignore[union-attr]
    assert "log: predictions" in nothing.performance.fix  # type: ignore[union-attr]
    logged = collect(replace(belonging(), scored=None, logs=("logging",)), known(), empty)
    assert "ref('logging')" in logged.performance.fix  # type: ignore[union-attr]


def test_versions_and_gates_and_use_are_what_their_tables_say() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA ml")
    connection.execute(
        "CREATE TABLE delay AS SELECT v AS version, 10 * v AS training_rows, 'lake.seen' AS training_set, 7 AS"
        " training_set_version, TIMESTAMP '2026-01-01' AS held_out_from, v / 100.0::DOUBLE AS auc, 0.5::DOUBLE AS"
        " baseline_auc, 'x' AS run_id FROM range(30) AS t(v)"
    )
    connection.execute(
        "CREATE TABLE ml.gates AS SELECT v AS challenger, 'g' || v AS gate_id, CASE WHEN v = 3 THEN 'other'"
        " ELSE 'delay' END AS model, TIMESTAMP '2026-01-01' + INTERVAL (v) HOUR AS decided_at FROM range(15) AS t(v)"
    )
    connection.execute(
        "CREATE TABLE ml.usage AS SELECT TIMESTAMP '2026-01-01' AS at, 'delay' AS model, 1 AS version, 'f' AS function,"
        " 'trees' AS engine, 'u' || v AS \"user\", CASE WHEN v % 2 = 0 THEN 'model.p.n' ELSE '' END AS node, 2 AS"
        " statements, CASE WHEN v = 1 THEN NULL ELSE v END AS rows, 0 AS errors, 0.5::DOUBLE AS seconds"
        " FROM range(60) AS t(v)"
    )
    engine = engine_of(connection)
    trained = trained_in("delay", engine)
    assert [each.version for each in trained[:2]] == [29, 28]
    assert dict(trained[0].metrics) == {"auc": (0.29, 0.5)}
    assert (trained[0].rows, trained[0].training_set_version) == (290, 7)
    decided = decisions_on("delay", engine)
    assert [each["challenger"] for each in decided] == [14, 13, 12, 11, 10, 9, 8, 7, 6, 5]
    assert len(decided) == DECISIONS
    uses = uses_of("delay", engine)
    assert len(uses) == USES
    assert (uses[0].who, uses[0].rows, uses[0].statements) == ("model.p.n", sum(range(0, 60, 2)), 60)
    assert uses[1].who == "u59"
    assert uses_of("other", engine) == ()
    assert trained_in("", engine) == ()


def test_tests_that_did_not_pass_come_first() -> None:
    tests = [DataTest(f"test.p.{name}", name, "scored") for name in "abcd"]
    found = results_of(tests, {"a": "pass", "b": "fail", "c": "warn"})
    assert [(each.test.name, each.status) for each in found] == [
        ("b", "fail"),
        ("c", "warn"),
        ("d", "not run"),
        ("a", "pass"),
    ]


def test_the_gate_of_a_move_is_told(report: Collected) -> None:
    assert report.live is not None
    assert report.live.version.version == 1
    assert GATE in report.known.moves[1].reason
