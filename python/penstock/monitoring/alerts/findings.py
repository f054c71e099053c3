"""What a test that failed has found: of a monitor one finding a subject, of any other test one in all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_ROWS = 100
"""How many rows of a test's answer are looked at."""
MOST = 20
"""How many findings of a test are told of; the greatest effects come first."""
# Columns in which the monitors tell by how much, and how likely that is by chance; the first one that is there counts.
_EFFECTS = ("effect", "size", "worse_by", "short_by", "ece", "rate")
_P_VALUES = ("p_adjusted", "p")
# Texts that say something of a finding, and are none of what it is about.
_TOLD = {"effect", "told", "example"}


@dataclass(frozen=True)
class Finding:
    """What a test has found of one subject.

    Attributes:
        subject: What it is about, `feature=carrier segment=all`; empty of the whole table.
        effect: How large it is, in the unit of the test; of a test that tells none, the number of rows that failed.
        p: The p-value, where there is one.
        evidence: The row, with plain values.
    """

    subject: str
    effect: float | None = None
    p: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """The evidence as JSON."""
        return json.dumps(self.evidence, sort_keys=True, ensure_ascii=False, default=str)


def findings_of(rows: Sequence[Mapping[str, Any]], failures: int | None) -> list[Finding]:
    """The findings of a test, the greatest effect first.

    Args:
        rows: Of its answer, `MOST_ROWS` at most.
        failures: What dbt counted.

    Example:
        >>> [found] = findings_of([{"feature": "carrier", "effect": "js", "size": 0.3, "p_adjusted": 1e-9}], 1)
        >>> found.subject, found.effect, found.p
        ('feature=carrier', 0.3, 1e-09)
    """
    name = next((each for each in _EFFECTS if any(_number(row.get(each)) is not None for row in rows)), None)
    if name is None:
        shown = _plain(rows[0]) if rows else {}
        return [Finding("", None if failures is None else float(failures), None, shown)]
    p = next((each for each in _P_VALUES if any(_number(row.get(each)) is not None for row in rows)), "")
    worst: dict[str, Finding] = {}
    for row in rows:
        found = Finding(_subject(row), _number(row.get(name)), _number(row.get(p)), _plain(row))
        held = worst.get(found.subject)
        if held is None or _size(found) > _size(held):
            worst[found.subject] = found
    return sorted(worst.values(), key=lambda each: (-_size(each), each.subject))


def _subject(row: Mapping[str, Any]) -> str:
    texts = {name: value for name, value in row.items() if isinstance(value, str) and name not in _TOLD}
    return " ".join(f"{name}={value}" for name, value in texts.items())


def _size(finding: Finding) -> float:
    return math.inf if finding.effect is None else abs(finding.effect)


def _number(value: Any) -> float | None:
    if isinstance(value, bool | str) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(number) else number


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Values that JSON has."""

    def plain(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return value if value is None or isinstance(value, bool | int | float | str) else str(value)

    return {name: plain(value) for name, value in row.items()}
