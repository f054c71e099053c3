"""A gate as it is declared, its conditions, and the moves of an alias that rollbacks undo; no Spark."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from penstock.errors import InvalidDefinitionError, PenstockError
from penstock.monitoring.gates.conditions import Condition, conditions_of
from penstock.monitoring.gates.definition import Gate, Realised, parse_gate
from penstock.monitoring.gates.evidence import Evidence
from penstock.monitoring.gates.ledger import terms_of
from penstock.registry.moves import Move, reason_of_rollback, standing

LEAST: dict[str, Any] = {"evaluate": "seen", "label": "is_late", "time": "at", "loss": "log_loss"}


def parsed(**more: Any) -> Gate:
    return parse_gate(LEAST | more, model="delay", where="models/delay.yml")


def test_a_whole_declaration() -> None:
    gate = parsed(
        matured="final", better_by=1, slices=["carrier"], no_slice_worse_than=0.02, calibrated={"max_ece": 0.05},
        tests=["no_drift"], approval="required", realised={"kind": "late", "horizon": "6 hours"},
    )  # fmt: skip
    assert gate == Gate(
        "delay", "seen", "is_late", "at", "log_loss", "final", better_by=1.0, slices=("carrier",),
        no_slice_worse_than=0.02, max_ece=0.05, tests=("no_drift",), approval=("required",),
        realised=Realised("late", "6 hours"),
    )  # fmt: skip
    assert gate.as_text() == parse_gate(
        LEAST | {"better_by": 1.0, "slices": ["carrier"], "no_slice_worse_than": 0.02, "tests": ["no_drift"],
                 "matured": "final", "calibrated": {"max_ece": 0.05}, "approval": ["required"]},
        model="delay", where="elsewhere",
    ).as_text(), "where it stands, and what is realised later, decides nothing"  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ([], "gate is \\[\\], not a mapping\n  where: models/delay.yml, gate\n  fix: gate:"),
        ({"evaluate": "seen"}, "label is missing"),
        (LEAST | {"beter_by": 1}, "unknown key 'beter_by'\n  where: .*\n  did you mean: better_by"),
        (LEAST | {"loss": "logloss"}, "unknown loss 'logloss'\n.*\n  did you mean: log_loss"),
        (LEAST | {"label": 3}, "label is 3"),
        (LEAST | {"better_by": "much"}, "better_by is 'much'"),
        (LEAST | {"better_by": True}, "better_by is True"),
        (LEAST | {"better_by": float("nan")}, "better_by is nan"),
        (LEAST | {"alpha": 5}, "alpha is 5.0"),
        (LEAST | {"threshold": 0}, "threshold is 0"),
        (LEAST | {"min_rows": 0}, "min_rows is 0"),
        (LEAST | {"min_rows": 10.5}, "min_rows is 10.5"),
        (LEAST | {"slices": "carrier"}, "slices is 'carrier'"),
        (LEAST | {"slices": ["a", "A"]}, "the slice 'A' is named twice"),
        (LEAST | {"no_slice_worse_than": 0.1}, "no_slice_worse_than without slices"),
        (LEAST | {"slices": ["a"], "no_slice_worse_than": -0.1}, "no_slice_worse_than is -0.1"),
        (LEAST | {"calibrated": 0.05}, "calibrated is 0.05"),
        (LEAST | {"calibrated": {"max_ec": 0.05}}, "unknown key 'max_ec'"),
        (LEAST | {"calibrated": {"max_ece": 5}}, "max_ece is 5"),
        (LEAST | {"approval": True}, "approval is True"),
        (LEAST | {"model": "a-b"}, "'a-b' cannot be a model's name"),
        (LEAST | {"realised": {"kind": "late"}}, "realised is"),
        (LEAST | {"realised": {"kind": "late", "horizon": "1 month"}}, "a month has no fixed length"),
        (LEAST | {"realised": {"kind": "late", "horizon": "1 day", "windw": "1 day"}}, "did you mean: window"),
    ],
)
def test_what_is_wrong_is_told_with_where_and_how(declared: Any, said: str) -> None:
    with pytest.raises(PenstockError, match=said) as error:
        parse_gate(declared, model="delay", where="models/delay.yml")
    assert error.value.where.startswith("models/delay.yml, gate")
    assert error.value.fix or error.value.near


OVERALL = {
    "compared": 2000, "unscored": 0, "champion_loss": 0.5, "challenger_loss": 0.4, "gain": 0.1, "gain_low": 0.01,
    "challenger_ece": 0.03,
}  # fmt: skip


def met(gate: Gate, *slices: tuple[str | None, int, float], first: bool = False, **found: Any) -> dict[str, bool]:
    rows = [{"slice": "carrier", "value": value, "compared": n, "gain": gain} for value, n, gain in slices]
    evidence = Evidence(OVERALL | found, rows)
    given = {"results": {"passes": "pass", "fails": "fail"}, "approved_by": found.get("by")}
    return {each.name: each.passed for each in conditions_of(gate, evidence, is_first=first, **given)}


def test_conditions_are_met_by_their_bounds() -> None:
    assert met(parsed()) == {"min_rows": True, "scored": True, "better_by": True}
    assert met(parsed(), compared=999, unscored=1, gain_low=0.0) == dict.fromkeys(met(parsed()), False)
    assert met(parsed(better_by=-0.1), gain_low=-0.05)["better_by"], "not much worse is enough"
    assert not met(parsed(), gain_low=None)["better_by"], "a single row tells nothing"
    calibrated = parsed(calibrated={"max_ece": 0.03})
    assert (met(calibrated)["calibrated"], met(calibrated, challenger_ece=0.031)["calibrated"]) == (True, False)
    assert met(parsed(tests=["passes", "fails", "missing"])) == {
        **met(parsed()), "test passes": True, "test fails": False, "test missing": False,
    }  # fmt: skip
    assert "better_by" not in met(parsed(slices=["carrier"], no_slice_worse_than=0), ("AA", 200, -1.0), first=True)


def test_a_slice_that_is_worse_is_named() -> None:
    gate = parsed(slices=["carrier"], no_slice_worse_than=0.02)
    name = "no_slice_worse_than"
    assert met(gate, ("AA", 200, -0.02), ("UA", 300, 0.4))[name], "by so much it may be"
    assert met(gate, ("AA", 99, -0.5))[name], "too few rows to judge"
    assert met(gate)[name]
    worse = Evidence(OVERALL, [{"slice": "carrier", "value": None, "compared": 1200, "gain": -0.3}])
    [*_, found] = conditions_of(gate, worse, is_first=False, results={}, approved_by=None)
    assert (found.passed, found.value, found.bound) == (False, -0.3, -0.02)
    assert found.told == "carrier = NULL: gain -0.3 over 1,200 rows"


def test_behaviour_is_the_challengers_with_the_champions_beside_it() -> None:
    gate = parsed(behaviour=[{"stable_under": {"change": {"miles": "miles + 1"}, "max_share": 0.1}}])
    [check] = gate.behaviour
    row = {
        "name": check.name, "value": 0.2, "low": 0.15, "high": 0.26, "bound": 0.1, "rest": None, "rows": 800,
        "unjudged": 3, "passed": False,
    }  # fmt: skip
    rows = [row | {"is_challenger": True}, row | {"is_challenger": False, "value": 0.05, "passed": True}]
    evidence = Evidence(OVERALL, (), rows)
    [*_, found] = conditions_of(gate, evidence, is_first=False, results={}, approved_by=None)
    told = "0.2 (0.15 to 0.26) over 800 rows; 3 could not be judged; the champion's 0.05"
    assert found == Condition("behaviour stable_under_miles", 0.2, 0.1, False, told)
    assert gate.as_text() != parsed().as_text(), "another check is another gate"
    for bad in (None, "stable_under", [{}], [{"stable_under": {}}]):
        with pytest.raises(InvalidDefinitionError):
            parsed(behaviour=bad)


def test_approval_is_of_whoever_is_named() -> None:
    for approval, by, passes in (("required", None, False), ("required", "bob", True), (["ada"], "bob", False)):
        assert met(parsed(approval=approval), by=by)["approval"] is passes
    assert met(parsed(approval=["ada", "bob"]), by="bob")["approval"]


def test_what_the_page_declares_is_a_gate() -> None:
    page = (Path(__file__).parents[3] / "docs" / "gates.md").read_text()
    [text] = re.findall(r"```yaml\n(.*?)```", page, re.S)
    [node] = yaml.safe_load(text)["models"]
    gate = parse_gate(node["config"]["meta"]["penstock"]["gate"], model=node["name"], where="docs/gates.md")
    assert (gate.model, gate.slices, gate.max_ece) == ("arrival_delay", ("carrier", "origin"), 0.05)
    keys = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", page, re.M))))
    assert keys >= {field.name for field in fields(Gate)} - {"max_ece"}, "each key is told of"


def moves(*told: int | str) -> list[Move]:
    """Promotions of versions, and rollbacks to versions where a text stands."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made: list[Move] = []
    for at, each in enumerate(told):
        version: Any = SimpleNamespace(version=int(each))
        reason = reason_of_rollback(made[-1].version.version, "why") if isinstance(each, str) else "gate x"
        made.append(Move(at, start + timedelta(days=at), version, reason))
    return made


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ([], []),
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, "2"], [1, 2]),
        ([1, 2, 3, "2", "1"], [1]),
        ([1, 2, "1", 3, 2, "3"], [1, 3]),
        ([1, 2, 1], [1, 2, 1]),
    ],
)
def test_rollbacks_undo_promotions(told: list[int | str], left: list[int]) -> None:
    assert [each.version.version for each in standing(moves(*told))] == left


def test_terms_end_where_the_next_begins() -> None:
    terms = terms_of(moves(1, 2, "1"))
    assert [(each.version, each.before) for each in terms] == [(1, None), (2, 1), (1, 2)]
    assert [each.until for each in terms] == [terms[1].at, terms[2].at, None]
    assert terms_of([]) == []


def test_an_error_of_a_gate_is_one_of_the_definition() -> None:
    with pytest.raises(InvalidDefinitionError):
        parse_gate({}, model="delay", where="models/delay.yml")
