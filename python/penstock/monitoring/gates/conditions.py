"""The conditions of a gate, each with what was found, what is asked for, and whether that is met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.monitoring.gates.behaviour import told_of
from penstock.monitoring.gates.definition import REQUIRED, Gate
from penstock.monitoring.gates.evidence import Evidence

PASSED, REFUSED = "passed", "refused"
_NAMED = 5  # slices that are told of, of those in which the challenger is worse


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes:
        name: What is asked for, by its key in the declaration.
        value: The number that was found, where it is one.
        bound: The number that it is compared with.
        passed: Whether it is met.
        told: The same in words.
    """

    name: str
    value: float | None
    bound: float | None
    passed: bool
    told: str


def conditions_of(
    gate: Gate, evidence: Evidence, *, is_first: bool, results: Mapping[str, str], approved_by: str | None
) -> list[Condition]:
    """All conditions, in the order of the declaration.

    Args:
        gate: What is asked for.
        evidence: What was found.
        is_first: Whether no version is live: nothing is compared then, and the other conditions decide.
        results: What came of dbt's tests, by name: `pass`, `fail`, ….
        approved_by: Who approves.
    """
    found = [_rows(gate, evidence), _scored(evidence)]
    if not is_first:
        found += [_better(gate, evidence), *_slices(gate, evidence)]
    found += [*_calibrated(gate, evidence), *_behaviour(evidence)]
    return [*found, *_tests(gate, results), *_approval(gate, approved_by)]


def _rows(gate: Gate, evidence: Evidence) -> Condition:
    compared = evidence.overall["compared"]
    told = f"{compared:,} rows with a final label, {gate.min_rows:,} at least"
    return Condition("min_rows", compared, gate.min_rows, compared >= gate.min_rows, told)


def _scored(evidence: Evidence) -> Condition:
    missing = evidence.overall["unscored"]
    told = f"{missing:,} rows that the challenger alone gives no score for"
    return Condition("scored", missing, 0, missing == 0, told)


def _better(gate: Gate, evidence: Evidence) -> Condition:
    low, overall = evidence.overall["gain_low"], evidence.overall
    told = f"{gate.loss} {_text(overall['challenger_loss'])}, the champion's {_text(overall['champion_loss'])}: "
    told += f"better by {_text(overall['gain'])}, by {_text(low)} at least"
    return Condition("better_by", low, gate.better_by, low is not None and low > gate.better_by, told)


def _slices(gate: Gate, evidence: Evidence) -> Iterator[Condition]:
    if gate.no_slice_worse_than is None:
        return
    bound = -gate.no_slice_worse_than
    judged = [each for each in evidence.slices if each["compared"] >= gate.min_slice_rows and each["gain"] is not None]
    worse = [each for each in judged if each["gain"] < bound]
    told = "; ".join(map(_slice, (worse or judged[:1])[:_NAMED])) or f"no slice has {gate.min_slice_rows:,} rows"
    if len(worse) > _NAMED:
        told += "; and more"
    yield Condition("no_slice_worse_than", judged[0]["gain"] if judged else None, bound, not worse, told)


def _slice(row: Mapping[str, Any]) -> str:
    value = "NULL" if row["value"] is None else row["value"]
    return f"{row['slice']} = {value}: gain {_text(row['gain'])} over {row['compared']:,} rows"


def _calibrated(gate: Gate, evidence: Evidence) -> Iterator[Condition]:
    if gate.max_ece is None:
        return
    error = evidence.overall["challenger_ece"]
    told = f"expected calibration error {_text(error)}, at most {_text(gate.max_ece)}"
    yield Condition("calibrated", error, gate.max_ece, error is not None and error <= gate.max_ece, told)


def _behaviour(evidence: Evidence) -> Iterator[Condition]:
    beside = {each["name"]: each for each in evidence.behaviour if not each["is_challenger"]}
    for each in evidence.behaviour:
        if each["is_challenger"]:
            told = told_of(each, beside.get(each["name"]))
            yield Condition(f"behaviour {each['name']}", each["value"], each["bound"], each["passed"], told)


def _tests(gate: Gate, results: Mapping[str, str]) -> Iterator[Condition]:
    for name in gate.tests:
        came = results.get(name, "not run")
        yield Condition(f"test {name}", None, None, came == "pass", came)


def _approval(gate: Gate, approved_by: str | None) -> Iterator[Condition]:
    if not gate.approval:
        return
    known = gate.approval == (REQUIRED,) or approved_by in gate.approval
    told = f"approved by {approved_by}" if approved_by else "nobody has approved it yet"
    if approved_by and not known:
        told += f", which is for {', '.join(gate.approval)}"
    yield Condition("approval", None, None, bool(approved_by) and known, told)


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
