"""What becomes of alerts by a run of the tests: which are new, which go on, which are over, and which are told."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from penstock.monitoring.alerts.findings import MOST, Finding
from penstock.monitoring.alerts.rules import Rules

OPEN, RESOLVED = "open", "resolved"
ERROR, WARN = "error", "warn"
NEW, GREW, SURER, SEVERE, STILL, GONE = "new", "grew", "surer", "severe", "still", "gone"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "penstock:alert")

Key = tuple[str, str]
"""The id of a test, and a subject."""


@dataclass(frozen=True)
class Outcome:
    """What came of a test in a run.

    Attributes:
        test_id: dbt's id of it.
        monitor: Its name.
        model: What it is on.
        owner: Who owns it; empty where nobody is told.
        severity: `error` or `warn` of one that failed; None of one that passed.
        findings: What it found, the greatest effect first.
        is_whole: Whether these are all.
        message: What dbt says.
        rules: When it is told again.
    """

    test_id: str
    monitor: str
    model: str
    owner: str
    severity: str | None = None
    findings: Sequence[Finding] = ()
    is_whole: bool = True
    message: str = ""
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True)
class Alert:
    """A row of `ml.alerts`: what a run says of a subject of a test.

    Attributes:
        test_id: dbt's id of the test.
        subject: What it is about; empty of the whole table.
        monitor: The test's name.
        model: What the test is on.
        owner: Who owns it; empty where nobody is told.
        severity: `error` or `warn`.
        state: `open` or `resolved`.
        reason: Why it is told in this run: `new`, `grew`, `surer`, `severe`, `still`, `resolved` or `gone` (there is no
            such test any more); None where it is not.
        effect: How large it is.
        p: The p-value.
        evidence: The row of the test, as JSON.
        message: What dbt says.
        invocation_id: Of the run.
        at: When the run ended.
        opened_at: When the run ended that opened it.
    """

    test_id: str
    subject: str
    monitor: str
    model: str
    owner: str
    severity: str
    state: str
    reason: str | None
    effect: float | None
    p: float | None
    evidence: str
    message: str
    invocation_id: str
    at: datetime
    opened_at: datetime

    @property
    def id(self) -> str:
        """uuid5 of the run, the test and the subject."""
        return str(uuid.uuid5(_NAMESPACE, "\x1f".join((self.invocation_id, self.test_id, self.subject))))

    @property
    def key(self) -> Key:
        """Which alert it is, in any run."""
        return self.test_id, self.subject

    @property
    def is_urgent(self) -> bool:
        """Whether it is told, open, and an error."""
        return self.reason is not None and self.state == OPEN and self.severity == ERROR


@dataclass(frozen=True)
class Before:
    """An alert that was open before a run.

    Attributes:
        last: As the last run saw it.
        told: As it was told last.
    """

    last: Alert
    told: Alert


def alerts_of(
    invocation_id: str, at: datetime, tested: Iterable[Outcome], before: Mapping[Key, Before], known: Collection[str]
) -> list[Alert]:
    """The alerts of a run.

    Args:
        invocation_id: Of the run.
        at: When it ended.
        tested: The tests that it ran.
        before: The alerts that were open before it.
        known: The ids of all tests that there are now.
    """
    alerts = []
    tests = {each.test_id: each for each in tested}
    for test in tests.values():
        if test.severity is not None:
            alerts += [
                _open(invocation_id, at, test, finding, before.get((test.test_id, finding.subject)))
                for finding in test.findings[:MOST]
            ]
    opened = {each.key for each in alerts}
    for key, was in before.items():
        ran = tests.get(key[0])
        if key in opened or (ran is None and key[0] in known):
            continue
        if ran is not None and ran.severity is not None and not (ran.is_whole and len(ran.findings) <= MOST):
            continue  # it may be among those that are not told of
        over = was.last.__dict__ | {"state": RESOLVED, "invocation_id": invocation_id, "at": at, "message": ""}
        over |= {"reason": GONE if ran is None else RESOLVED, "effect": None, "p": None, "evidence": "{}"}
        alerts.append(Alert(**over))
    return alerts


def _open(invocation_id: str, at: datetime, test: Outcome, finding: Finding, before: Before | None) -> Alert:
    assert test.severity is not None
    return Alert(
        test_id=test.test_id, subject=finding.subject, monitor=test.monitor, model=test.model, owner=test.owner,
        severity=test.severity, state=OPEN, reason=_reason(at, test, finding, before),
        effect=finding.effect, p=finding.p, evidence=finding.as_json(), message=test.message,
        invocation_id=invocation_id, at=at, opened_at=at if before is None else before.last.opened_at,
    )  # fmt: skip


def _reason(at: datetime, test: Outcome, finding: Finding, before: Before | None) -> str | None:
    """Why an open alert is told; None where what was told still holds."""
    if before is None:
        return NEW
    told, rules = before.told, test.rules
    if test.severity == ERROR and told.severity == WARN:
        return SEVERE
    effect, was = abs(finding.effect or 0.0), abs(told.effect or 0.0)
    if effect > was and effect >= rules.grown * was:
        return GREW
    if finding.p is not None and told.p is not None and finding.p < told.p and finding.p <= rules.surer * told.p:
        return SURER
    return STILL if at - told.at >= rules.repeat else None
