"""Where a chart puts what: places in the SVG are turned back into numbers, and compared with those that were drawn."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from markupsafe import Markup
from reported import MOVES, NOW, example

from penstock.monitoring.report.calibrated import Bin, Calibration, Side
from penstock.monitoring.report.collected import State
from penstock.monitoring.report.drawn import graph, heat, histograms, over_time, probabilities, slices, svg, versions
from penstock.monitoring.report.drifted import Drift
from penstock.monitoring.report.looked import BinCount, Looked
from penstock.monitoring.report.performed import Interval, Performance, Period
from penstock.monitoring.report.sliced import Slice, Slices

SPACE = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('x')</script> & \"quoted\""


def drawn(markup: str) -> ET.Element:
    return ET.fromstring(markup)


def classed(root: ET.Element, class_: str) -> list[ET.Element]:
    return [each for each in root.iter() if set(class_.split()) <= set((each.get("class") or "").split())]


def titles(root: ET.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SPACE}title")]


def axis(root: ET.Element) -> Any:
    """From a height to a value, by two of the numbers beside the axis."""
    ticks = [each for each in classed(root, "tick end") if re.fullmatch(r"[−\d.,]+", each.text or "")]
    low, high = (
        (float(each.get("y") or 0) - 4.5, float((each.text or "").replace("−", "-").replace(",", "")))
        for each in (ticks[0], ticks[-1])
    )
    return lambda y: low[1] + (float(y) - low[0]) / (high[0] - low[0]) * (high[1] - low[1])


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]


DAY = datetime(2026, 1, 1, tzinfo=UTC)


def performance(*values: tuple[float, float, float] | None, fitted: int = 0) -> Performance:
    periods = []
    for at, each in enumerate(values):
        realised = {"auc": Interval(each[1], each[0], each[2], 100)} if each else {}
        estimated = {"auc": Interval(0.7, 0.65, 0.75, 120)} if at >= fitted > 0 else {}
        periods.append(Period(DAY + timedelta(days=at), 120, 110, 100 if each else 0, realised, estimated))
    until = DAY + timedelta(days=fitted) if fitted else None
    return Performance("day", tuple(periods), ("auc",), fitted_until=until)


def test_a_metric_and_its_band_are_where_their_values_are() -> None:
    given = [(0.6, 0.65, 0.7), (0.62, 0.68, 0.74), (0.5, 0.6, 0.7)]
    root = drawn(over_time.metric_chart(performance(*given), "auc"))
    value = axis(root)
    [line] = classed(root, "line realised")
    assert [value(y) for _, y in points(line.get("d") or "")] == pytest.approx([each[1] for each in given], abs=2e-3)
    [band] = classed(root, "band realised")
    ends = [value(y) for _, y in points(band.get("d") or "")]
    assert ends[:3] == pytest.approx([each[2] for each in given], abs=2e-3)
    assert ends[3:] == pytest.approx([each[0] for each in reversed(given)], abs=2e-3)
    assert [value(each.get("cy")) for each in classed(root, "dot realised")] == pytest.approx(
        [0.65, 0.68, 0.6], abs=2e-3
    )
    wide = (svg.WIDTH - svg.LEFT - svg.RIGHT) / 3  # of a day
    middles = [svg.LEFT + wide * (at + 0.5) for at in range(3)]
    assert [x for x, _ in points(line.get("d") or "")] == pytest.approx(middles, abs=0.1)
    assert "01 Jan 2026: auc realised 0.650 (0.600 to 0.700), 100 rows" in titles(root)


def test_the_line_has_a_gap_where_there_is_no_value() -> None:
    root = drawn(over_time.metric_chart(performance((0.6, 0.65, 0.7), (0.6, 0.65, 0.7), None, (0.6, 0.65, 0.7)), "auc"))
    [line] = classed(root, "line realised")
    assert len(points(line.get("d") or "")) == 2
    assert len(classed(root, "dot realised")) == 3
    [whisker] = classed(root, "whisker realised")  # of the one that has no neighbour for a band
    value = axis(root)
    assert (value(whisker.get("y1")), value(whisker.get("y2"))) == pytest.approx((0.6, 0.7), abs=2e-3)


def test_an_estimate_is_drawn_after_the_periods_of_its_calibration() -> None:
    told = performance(*[(0.6, 0.65, 0.7)] * 4, fitted=2)
    root = drawn(over_time.metric_chart(told, "auc"))
    [fitted] = classed(root, "fitted")
    [line] = classed(root, "line estimated")
    end = float(fitted.get("x") or 0) + float(fitted.get("width") or 0)
    assert all(x > end for x, _ in points(line.get("d") or ""))
    x = over_time.time_scale(told)
    assert end == pytest.approx(x((DAY + timedelta(days=2)).timestamp()), abs=0.1)


def test_levels_and_promotions_are_where_they_were() -> None:
    told = performance(*[(0.6, 0.65, 0.7)] * 4)
    levels = [over_time.Level(0.72, "held out", "trained"), over_time.Level(0.5, "baseline", "baseline")]
    moves = [(DAY + timedelta(days=1), "version 2 live"), (DAY - timedelta(days=9), "long ago")]
    root = drawn(over_time.metric_chart(told, "auc", levels, moves))
    value = axis(root)
    assert [value(each.get("y1")) for each in classed(root, "level")] == pytest.approx([0.72, 0.5], abs=2e-3)
    [move] = classed(root, "move")
    assert float(move.get("x1") or 0) == pytest.approx(svg.LEFT + (svg.WIDTH - svg.LEFT - svg.RIGHT) / 4, abs=0.1)
    assert "version 2 live" in titles(root)


def test_a_metric_without_a_value_is_not_drawn() -> None:
    assert over_time.metric_chart(performance(None, None), "auc") == Markup("")
    nothing = Period(DAY, 1, 1, 1, {"auc": Interval(None, None, None, 1)})
    assert over_time.metric_chart(Performance("day", (nothing,), ("auc",)), "auc") == Markup("")


def test_labels_are_as_high_as_there_are_rows() -> None:
    root = drawn(over_time.maturity_chart(performance((0.6, 0.65, 0.7), None)))
    value = axis(root)
    for class_, heights in (("final", [100]), ("early", [10, 110]), ("waiting", [10, 10])):
        found = [
            value(each.get("y")) - value(float(each.get("y") or 0) + float(each.get("height") or 0))
            for each in classed(root, class_)
        ]
        assert found == pytest.approx(heights, abs=1.0), class_


def test_reliability_and_scores_are_where_their_values_are() -> None:
    bins = (Bin(0, 30, 0.06, 0.1, 0.05, 0.2), Bin(7, 10, 0.75, 0.6, 0.4, 0.8))
    root = drawn(probabilities.reliability_chart(Calibration({"scores": Side(bins, 0.1, 0.5, 40)}, bins)))
    value = axis(root)
    dots = classed(root, "dot scores")
    assert [value(each.get("cy")) for each in dots] == pytest.approx([0.1, 0.6], abs=2e-3)
    wide = svg.WIDTH - svg.LEFT - svg.RIGHT
    assert [(float(each.get("cx") or 0) - svg.LEFT) / wide for each in dots] == pytest.approx([0.06, 0.75], abs=2e-3)
    whiskers = [(value(each.get("y1")), value(each.get("y2"))) for each in classed(root, "whisker scores")]
    assert whiskers[0] == pytest.approx((0.05, 0.2), abs=2e-3)
    spread = drawn(probabilities.scores_chart(Calibration({}, bins)))
    value = axis(spread)
    assert [value(each.get("y")) for each in classed(spread, "others")] == pytest.approx([30, 10], abs=0.1)
    assert [value(each.get("y")) for each in classed(spread, "positives")] == pytest.approx([3, 6], abs=0.1)


def test_a_slice_is_beside_all_rows() -> None:
    overall = Slice("all", None, 0.7, 0.68, 0.72, 900, None, None, False, None)
    bad = Slice("carrier", "x", 0.5, 0.4, 0.6, 200, 0.7, -0.2, True, 0.01)
    few = Slice("carrier", "y", 0.0, None, None, 3, 0.7, -0.7, False, None)
    told = Slices("auc", overall, (bad, few), 0)
    x = slices.scale_of(told)
    assert (x.low, x.high) == pytest.approx((0.4 - 0.06 * 0.32, 0.72 + 0.06 * 0.32))  # without those of few rows
    root = drawn(slices.slice_chart(told, bad))
    [level], [dot], [whisker] = (classed(root, name) for name in ("level", "dot", "whisker"))
    assert [float(level.get("x1") or 0), float(dot.get("cx") or 0)] == pytest.approx([x(0.7), x(0.5)], abs=0.1)
    assert (float(whisker.get("x1") or 0), float(whisker.get("x2") or 0)) == pytest.approx((x(0.4), x(0.6)), abs=0.1)
    assert drawn(slices.slice_chart(told, few)).get("aria-label") == "0"


def test_the_map_of_drift_is_darker_where_it_is_more() -> None:
    [(_, drift)] = example().drifts
    assert isinstance(drift, Drift)
    root = drawn(heat.heat_map(drift))
    cells = [each for each in classed(root, "mark") if "window to" in titles(each)[0]]
    assert len(cells) == len(drift.cells)
    told = {titles(each)[0]: each for each in cells}
    for (feature, window), cell in drift.cells.items():
        [mark] = [each for title, each in told.items() if title.startswith(f"{feature}, window to {window:%Y-%m-%d}")]
        [box, *dots] = mark.findall("./*")[1:]
        darker = [each for each in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5) if each <= (cell.size or 0.0)]
        assert box.get("class") == f"h{len(darker)}"
        assert bool(dots) == drift.is_drift(cell)
        row, column = drift.features.index(feature), drift.windows.index(window)
        assert float(box.get("y") or 0) == pytest.approx(heat.TOP + heat.ROW * row, abs=0.1)
        assert float(box.get("x") or 0) == pytest.approx(heat.LABELS + 26 * column, abs=0.1)
    assert any(drift.is_drift(cell) for cell in drift.cells.values())


def test_histograms_are_as_high_as_their_shares() -> None:
    root = drawn(
        histograms.histogram_chart(Looked("f", (BinCount("a", 0.25, 0.5), BinCount(HOSTILE, 0.75, 0.5)), None))
    )
    value = axis(root)
    assert [value(each.get("y")) for each in classed(root, "reference")] == pytest.approx([0.25, 0.75], abs=5e-3)
    assert [value(each.get("y")) for each in classed(root, "current")] == pytest.approx([0.5, 0.5], abs=5e-3)
    assert titles(root)[1].startswith(HOSTILE)
    assert drawn(histograms.histogram_chart(Looked("none", (), None))) is not None


def test_versions_are_along_the_line_of_time() -> None:
    decided = {"challenger": 2, "decided_at": datetime(2026, 1, 14, tzinfo=UTC), "verdict": "refused"}
    now = datetime(2026, 1, 26, tzinfo=UTC)
    root = drawn(versions.timeline(MOVES, [decided], now))
    terms = classed(root, "term")
    wide = versions.WIDTH - 2 * versions.SIDE
    starts = [(float(each.get("x") or 0) - versions.SIDE) / wide for each in terms]
    assert starts == pytest.approx([0, 8 / 24, 16 / 24], abs=1e-3)
    assert len(classed(root, "flag")) == 2
    assert len(classed(root, "back")) == 1
    [verdict] = classed(root, "verdict bad")
    assert verdict.text == "✕"
    assert (float(verdict.get("x") or 0) - versions.SIDE) / wide == pytest.approx(0.5, abs=1e-3)
    assert any("complaints <b>" in each for each in titles(root))
    assert classed(drawn(versions.timeline([], [], now)), "term") == []


def test_what_is_read_is_above_what_reads_it() -> None:
    lineage = example().belonging.lineage
    places = graph.places_of(lineage)
    assert all(places[start][1] < places[end][1] for start, end in lineage.edges)
    assert len(set(places.values())) == len(lineage.parts)
    states = {"scored": State("scored", 3, NOW), "delay": State("delay", built=False), "flights": State("flights")}
    root = drawn(graph.lineage_graph(lineage, states, NOW))
    assert len(classed(root, "node")) == len(lineage.parts)
    assert len(classed(root, "edge")) == len(lineage.edges)
    told = titles(root)
    assert "table scored: scored, version 3, written just now" in told
    assert "table delay: not built" in told
    assert "table flights: flights, not a Delta table" in told
    empty = SimpleNamespace(parts=(), edges=())
    assert graph.lineage_graph(empty, {}, NOW) == Markup("")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.3, 0.3, [-0.2, 0, 0.2]),
        (0, 7, [0, 2, 4, 6]),
        (1e6, 3e6, [1e6, 1.5e6, 2e6, 2.5e6, 3e6]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round(low: float, high: float, found: list[float]) -> None:
    assert svg.ticks(low, high) == pytest.approx(found)


def test_a_scale_keeps_what_is_beyond_at_its_end() -> None:
    scale = svg.Scale(0, 10, 100, 0)
    assert [scale(each) for each in (-5, 0, 2.5, 10, 99)] == [100, 100, 75, 0, 0]
    assert svg.Scale(3, 3, 0, 10)(3) == 5


def test_texts_and_attributes_are_escaped() -> None:
    made = svg.mark(HOSTILE, svg.element("text", HOSTILE, aria_label=HOSTILE))
    root = ET.fromstring(made)
    assert (root[0].text, root[1].text, root[1].get("aria-label")) == (HOSTILE, HOSTILE, HOSTILE)
    assert "<script" not in made
