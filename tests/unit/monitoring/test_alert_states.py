"""What becomes of alerts from run to run: a property over random runs, and each rule by itself."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.monitoring.alerts.findings import Finding, findings_of
from penstock.monitoring.alerts.rules import Rules, rules_in
from penstock.monitoring.alerts.states import Alert, Before, Key, Outcome, alerts_of

T0 = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = Outcome("test.p.t", "t", "fct", "flights (Ada)", severity="error")


class History:
    """Runs one after another, as the table keeps them."""

    def __init__(self) -> None:
        self.open: dict[Key, Before] = {}
        self.runs = 0

    def run(self, *tested: Outcome, hours: float = 1, known: Any = ("test.p.t",)) -> dict[str, Alert]:
        self.runs += 1
        at = T0 + timedelta(hours=hours)
        alerts = alerts_of(f"run {self.runs}", at, tested, self.open, known)
        for each in alerts:
            if each.state == "resolved":
                del self.open[each.key]
            else:
                before = self.open.get(each.key)
                self.open[each.key] = Before(each, each if each.reason or before is None else before.told)
        return {each.subject: each for each in alerts}


def failed(effect: float = 1.0, p: float | None = None, subject: str = "", **more: Any) -> Outcome:
    return replace(FAILED, findings=[Finding(subject, effect, p)], **more)


PASSED = replace(FAILED, severity=None)


def test_an_alert_is_new_then_quiet_then_told_again_then_over_then_new() -> None:
    history = History()
    first = history.run(failed())[""]
    assert (first.state, first.reason, first.owner, first.is_urgent) == ("open", "new", "flights (Ada)", True)
    quiet = history.run(failed(), hours=2)[""]
    assert (quiet.reason, quiet.opened_at, quiet.is_urgent) == (None, first.at, False)
    assert history.run(failed(), hours=25)[""].reason == "still"
    assert history.run(failed(), hours=26)[""].reason is None, "counted from when it was told last"
    over = history.run(PASSED, hours=27)[""]
    assert (over.state, over.reason, over.opened_at, over.is_urgent) == ("resolved", "resolved", first.at, False)
    assert history.run(PASSED, hours=28) == {}
    again = history.run(failed(), hours=29)[""]
    assert (again.reason, again.opened_at) == ("new", again.at)


@pytest.mark.parametrize(
    ("effects", "reasons"),
    [
        ([1, 1.4, 1.49, 1.5, 2.2, 2.25], ["new", None, None, "grew", None, "grew"]),
        ([-1, -1.6], ["new", "grew"]),
        ([0, 0, 0.1], ["new", None, "grew"]),
        ([float("inf"), float("inf")], ["new", None]),
        ([5, 1, 5], ["new", None, None]),
    ],
)
def test_it_is_told_when_its_effect_has_grown_since_it_was_told(effects: Any, reasons: Any) -> None:
    history = History()
    assert [history.run(failed(effect), hours=at / 10)[""].reason for at, effect in enumerate(effects)] == reasons


def test_it_is_told_when_it_is_surer_or_more_severe() -> None:
    history = History()
    values = [1e-4, 1e-6, 1e-7, 1e-9, 1e-10, 0.0, 0.0]
    told = [history.run(failed(p=p), hours=at / 10)[""].reason for at, p in enumerate(values)]
    assert told == ["new", None, "surer", None, "surer", "surer", None]
    history = History()
    assert not history.run(failed(severity="warn"))[""].is_urgent
    assert history.run(failed())[""].reason == "severe"
    assert history.run(failed(severity="warn"))[""].reason is None


def test_rules_of_the_test_count() -> None:
    rules = Rules(timedelta(hours=1), grown=3, surer=0.5)
    history = History()
    history.run(failed(p=0.01, rules=rules), hours=0)
    assert history.run(failed(2.9, 0.006, rules=rules), hours=0.9)[""].reason is None
    assert history.run(failed(2.9, 0.006, rules=rules), hours=1)[""].reason == "still"


def test_subjects_are_alerts_of_their_own_and_end_when_all_is_seen_without_them() -> None:
    history = History()
    both = replace(FAILED, findings=[Finding("a", 1), Finding("b", 2)])
    assert {each: alert.reason for each, alert in history.run(both).items()} == {"a": "new", "b": "new"}
    part = replace(FAILED, findings=[Finding("a", 1)], is_whole=False)
    assert set(history.run(part)) == {"a"}, "b may be among what was not looked at"
    assert {each: alert.state for each, alert in history.run(failed(subject="a")).items()} == {
        "a": "open", "b": "resolved",
    }  # fmt: skip
    many = replace(FAILED, findings=[Finding(f"s{at:02}", 100 - at) for at in range(30)])
    assert len(history.run(many)) == 20, "and a stays open, for ten are not told of"
    assert ("test.p.t", "a") in history.open


def test_a_test_that_did_not_run_says_nothing_and_one_that_is_gone_is_over() -> None:
    history = History()
    history.run(failed())
    assert history.run() == {}
    over = history.run(known=("test.p.other",))[""]
    assert (over.state, over.reason) == ("resolved", "gone")


def test_over_many_random_runs_what_is_open_is_what_failed_last() -> None:
    """Each alert is told once before it is over, never twice within the time but for growth; ids are unique."""
    draw = random.Random(3)
    for _ in range(100):
        history, failing, ids = History(), set[str](), set[str]()
        told: dict[str, tuple[datetime, float]] = {}
        for run in range(40):
            ran = draw.sample("abcd", draw.randint(0, 4))
            tests = []
            for name in ran:
                fails = draw.random() < 0.6
                failing = failing | {name} if fails else failing - {name}
                finding = Finding("", draw.choice([1.0, 1.2, 2.0]))
                tests.append(
                    replace(FAILED, test_id=name, severity="error" if fails else None, findings=[finding] * fails)
                )
            alerts = alerts_of(f"run {run}", T0 + timedelta(hours=5 * run), tests, history.open, "abcd")
            again = alerts_of(f"run {run}", T0 + timedelta(hours=5 * run), tests, history.open, "abcd")
            assert alerts == again
            for each in alerts:
                assert each.id not in ids
                ids.add(each.id)
                name, effect = each.test_id, each.effect or 0.0
                if each.state == "resolved":
                    assert name in told
                    del told[name], history.open[each.key]
                    continue
                is_due = (
                    name not in told or each.at - told[name][0] >= timedelta(days=1) or effect >= 1.5 * told[name][1]
                )
                assert (each.reason is not None) == is_due
                if is_due:
                    told[name] = each.at, effect
                before = history.open.get(each.key)
                history.open[each.key] = Before(each, each if is_due or before is None else before.told)
            assert {key[0] for key in history.open} == failing


@pytest.mark.parametrize(
    ("row", "subject", "effect", "p"),
    [
        ({"feature": "x", "segment": "all", "value": None, "effect": "js", "size": 0.3, "p": 0.01},
         "feature=x segment=all", 0.3, 0.01),
        ({"what": "nulls", "column_name": "c", "effect": -0.4, "p": 1e-9, "told": None}, "what=nulls column_name=c",
         -0.4, 1e-9),
        ({"slice": "origin", "slice_value": "JFK", "worse_by": 0.2, "p_adjusted": 0.02, "p": 0.01},
         "slice=origin slice_value=JFK", 0.2, 0.02),
        ({"mature": 10, "labelled": 5, "short_by": 0.5}, "", 0.5, None),
        ({"feature": "x", "rate": 0.1, "example": "some id"}, "feature=x", 0.1, None),
        ({"id": 7, "name": "some row"}, "", 3.0, None),
        ({"effect": float("nan"), "rows": 1}, "", 3.0, None),
        ({"effect": True}, "", 3.0, None),
    ],
)  # fmt: skip
def test_what_a_row_of_a_test_is_about(row: dict[str, Any], subject: str, effect: float, p: float | None) -> None:
    [found] = findings_of([row], 3)
    assert (found.subject, found.effect, found.p) == (subject, effect, p)
    assert found.as_json().startswith("{")


def test_of_many_rows_about_one_subject_the_worst_counts_and_the_worst_subject_is_first() -> None:
    rows = [{"feature": name, "size": size} for name, size in [("a", 1), ("b", 5), ("a", -7), ("c", float("inf"))]]
    assert [(each.subject, each.effect) for each in findings_of(rows, 4)] == [
        ("feature=c", float("inf")), ("feature=a", -7), ("feature=b", 5),
    ]  # fmt: skip
    assert findings_of([], None) == [Finding("")]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (7, "alert is 7, not a mapping"),
        ({"repaet": "1 day"}, "unknown key 'repaet'\n  where: test t, alert\n  did you mean: repeat"),
        ({"repeat": "1 month"}, "a month has no fixed length"),
        ({"grown": 1}, "grown is 1\n  where: test t, alert\n  fix: a number above 1"),
        ({"surer": 1.0}, "surer is 1.0\n  where: test t, alert\n  fix: a number above 0 and below 1"),
        ({"surer": True}, "surer is True"),
    ],
)
def test_rules_that_are_wrong_are_told(given: Any, told: str) -> None:
    with pytest.raises((InvalidDefinitionError, UnknownNameError)) as error:
        rules_in({"penstock": {"alert": given}}, where="test t")
    assert told in str(error.value)


def test_rules_that_nobody_declares_are_the_usual_ones() -> None:
    for meta in (None, {}, {"penstock": 1}, {"penstock": {"gate": {}}}):
        assert rules_in(meta, where="test t") == Rules()
