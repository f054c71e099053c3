"""The page of a report: well formed, whole without a network, safe whatever names and values say, and not too large."""

from __future__ import annotations

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from reported import GATE, NOW, SCORED, belonging, example, known

from penstock.monitoring.report import figures
from penstock.monitoring.report.belongs import DataTest, DriftTable, Owner, belonging_to
from penstock.monitoring.report.collected import Collected, Known, State
from penstock.monitoring.report.drifted import FEATURES, WINDOWS, Cell, Drift, Place
from penstock.monitoring.report.engine import Missing
from penstock.monitoring.report.looked import BinCount, Cause, Looked
from penstock.monitoring.report.page import render
from penstock.monitoring.report.recorded import Outcome, Trained, Use
from penstock.monitoring.report.sliced import Slice, Slices

HOSTILE = "</script></style><script>alert('x')</script><img src=x onerror=\"alert(1)\"> & {{ 7 * 7 }}"
VOID = {"meta", "br", "img", "link", "input", "hr"}


def rooted(page: str) -> ET.Element:
    """The page as a tree: it is well-formed XML, too."""
    start = "<!doctype html>\n"
    assert page.startswith(start)
    return ET.fromstring(page.removeprefix(start))


def text_of(root: ET.Element, id_: str) -> str:
    [section] = [each for each in root.iter() if each.get("id") == id_]
    return re.sub(r"\s+", " ", " ".join(section.itertext()))


def decision(**more: Any) -> dict[str, Any]:
    condition = {"name": "better_by", "value": -0.01, "bound": 0.0, "passed": False, "told": HOSTILE}
    return {
        "gate_id": GATE, "verdict": "refused", "challenger": 3, "champion": 2, "gain": -0.0101, "gain_low": -0.02,
        "gain_high": -0.001, "decided_at": datetime(2026, 1, 20, tzinfo=UTC), "conditions": [condition],
        "relation": "lake.seen", "relation_version": 7,
    } | more  # fmt: skip


def empty() -> Collected:
    nothing = Missing("no predictions are logged", "log: predictions")
    return Collected(belonging_to({"nodes": {}}, "unheard"), Known(NOW), nothing, nothing, nothing, (), (), (), (), ())


def hostile() -> Collected:
    """Names and values by whoever writes into tables, all of them hostile."""
    table = DriftTable(HOSTILE, HOSTILE)
    looked = Looked(HOSTILE, (BinCount(HOSTILE, 1.0, 1.0),), Cause(NOW, 0.01, HOSTILE, ((HOSTILE, HOSTILE, 0.5),)))
    drift = Drift(
        table, (HOSTILE,), 1, 1, (NOW,), 1, {(HOSTILE, NOW): Cell(0.5, 0.0, 9)},
        (Place(HOSTILE, HOSTILE, HOSTILE, 0.5, 0.0, 9),), (looked,),
    )  # fmt: skip
    one = Slice(HOSTILE, HOSTILE, 0.5, 0.4, 0.6, 200, 0.7, -0.2, True, 0.01)
    project = {"nodes": {"model.p.x": {
        "name": HOSTILE, "unique_id": "model.p.x", "resource_type": "model", "relation_name": HOSTILE,
        "config": {"meta": {}, "materialized": HOSTILE}, "original_file_path": HOSTILE, "description": HOSTILE,
        "depends_on": {"nodes": []},
    }}}  # fmt: skip
    scored = replace(SCORED, name=HOSTILE)
    owned = replace(belonging_to(project, HOSTILE), owner=Owner(HOSTILE, HOSTILE, HOSTILE), scored=scored)
    move = replace(example().known.moves[0], reason=HOSTILE)
    ledger = [{**example().known.ledger[0], "reason": HOSTILE, "gate_id": None, "how": HOSTILE}]
    return replace(
        example(),
        belonging=replace(owned, gate=example().belonging.gate),
        known=known(moves=[move], ledger=ledger, states={HOSTILE: State(HOSTILE, 1, NOW)}),
        slices=Slices("auc", one, (one,), 1),
        drifts=((HOSTILE, drift), (HOSTILE + "2", Missing(HOSTILE, HOSTILE))),
        trained=(Trained(1, 10, HOSTILE, 1, NOW, {"auc": (0.7, None)}),),
        decisions=(decision(relation=HOSTILE, gate_id=HOSTILE),),
        uses=(Use(1, HOSTILE, HOSTILE, 1, 2, 0, 0.5, NOW),),
        tests=(Outcome(DataTest("t", HOSTILE, HOSTILE), HOSTILE),),
    )


class Balance(HTMLParser):
    """Each element that is opened is closed, in order; and no id twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("made", [example, empty, hostile])
def test_a_page_is_well_formed(made: Any) -> None:
    page = render(made())
    rooted(page)
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    linked = re.findall(r'href="#(\w+)"', page)
    assert set(linked) <= set(parser.ids)
    assert parser.tags.isdisjoint({"img", "link", "iframe", "object", "form"})


def test_a_page_needs_nothing_else() -> None:
    page = render(example())
    urls = set(re.findall(r"https?://[^\s\"'<]+", page))
    assert urls == {"http://www.w3.org/2000/svg"}  # the name of SVG, which nobody fetches
    root = rooted(page)
    [policy] = [each.get("content") or "" for each in root.iter("meta") if each.get("http-equiv")]
    assert policy.startswith("default-src 'none';")
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        [own] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert not re.search(r'\s(style|on\w+)="', page)  # which that policy would not let in


def test_hostile_names_and_values_are_text() -> None:
    page = render(hostile())
    assert len(re.findall(r"<script", page)) == 1
    assert "<img" not in page
    root = rooted(page)
    shown = " ".join(root.itertext())
    assert HOSTILE in shown
    assert "49" not in re.findall(r"& (\S+)", shown)
    for section in ("slices", "drift", "versions", "lineage", "tests", "usage", "read"):
        assert "alert('x')" in text_of(root, section), section


def test_a_page_says_what_is_missing_and_how_to_get_it() -> None:
    root = rooted(render(empty()))
    for section, said in (
        ("performance", "Nothing to show: no predictions are logged. log: predictions"),
        ("calibration", "no predictions are logged"),
        ("slices", "no predictions are logged"),
        ("drift", "no model of penstock.drift descends from the node that trains this one. {{ penstock.drift("),
        ("versions", "no version is live"),
        ("versions", "no gate is declared. meta: {penstock: {gate:"),
        ("lineage", "no dbt node trains the model"),
        ("tests", "no dbt test is on what belongs to the model"),
        ("usage", "nothing has been scored by it in SQL yet"),
    ):
        assert said in text_of(root, section).replace(" .", "."), section


def test_the_same_is_drawn_as_the_same_bytes() -> None:
    assert render(example()) == render(replace(example()))


def test_the_numbers_of_a_page_are_those_that_were_collected() -> None:
    collected = replace(example(), decisions=(decision(),), tests=(Outcome(DataTest("t", "whole", "scored"), "pass"),))
    root = rooted(render(collected))
    performance = text_of(root, "performance")
    for each in collected.performance.periods:  # type: ignore[union-attr]
        for side in (each.realised, each.estimated):
            for value in side.values():
                bounds = figures.between(value.low, value.high)
                assert f"{figures.number(value.value)} {bounds}".strip() in performance
    slices, drift = text_of(root, "slices"), text_of(root, "drift")
    for one in collected.slices.worst:  # type: ignore[union-attr]
        assert f"{one.slice} = {one.slice_value or 'NULL'}" in slices.replace("  ", " ")
        assert figures.number(one.value) in slices
    assert "1 of 2 features drifted in the newest window" in drift.replace("  ", " ")
    assert "The greatest change: 15 Jan 2026" in drift
    versions = text_of(root, "versions")
    assert "0.0123 0.00400 to 0.0200" in versions
    assert "−0.0456 −0.0600 to −0.0300" in versions
    assert "gate 11111111" in versions
    assert "✕ refused version 3 beside 2" in versions
    assert "1 pass" in text_of(root, "tests").replace("  ", " ")


def test_a_page_of_many_features_and_windows_is_small() -> None:
    """What is drawn of 1,000 features over 365 windows, by names as long as they come."""
    features = tuple(f"customer__average_basket_value_{at:03}__90d" for at in range(FEATURES))
    windows = tuple(NOW + timedelta(days=at) for at in range(WINDOWS))
    cells = {(name, end): Cell(0.123456, 0.00123, 123_456) for name in features for end in windows}
    bins = tuple(BinCount(f"{at} to {at + 1}", 0.01, 0.01) for at in range(105))
    looked = tuple(Looked(name, bins, None) for name in features[:4])
    drift = Drift(DriftTable("drift", "drift"), features, 1000, 900, windows, 365, cells, (), looked)
    page = render(replace(example(), drifts=(("drift", drift),)))
    assert len(page.encode()) < 1_000_000
    told = text_of(rooted(page), "drift")
    assert f"{1000 - FEATURES} are left out" in told
    assert f"newest {WINDOWS} of 365 windows" in told


def test_charts_have_tables_and_names_for_those_who_do_not_see_them() -> None:
    root = rooted(render(example()))
    drawings = list(root.iter("{http://www.w3.org/2000/svg}svg"))
    assert drawings
    assert all(each.get("role") == "img" and each.get("aria-label") for each in drawings)
    for section in ("performance", "calibration", "drift"):
        [own] = [each for each in root.iter("section") if each.get("id") == section]
        assert own.find(".//details//table") is not None, section


def test_a_model_by_another_manifest_is_another_page() -> None:
    other = replace(example(), belonging=replace(belonging(), model="other"))
    assert "<h1>other</h1>" in render(other)
