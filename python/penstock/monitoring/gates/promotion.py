"""The door to going live: on a gate that passed, or by force with a reason. What moved an alias is in its history."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.errors import InvalidRequestError, PenstockError
from penstock.monitoring.gates.decide import Decision, delta_version, newest_decision
from penstock.monitoring.gates.definition import Gate
from penstock.monitoring.record.append import retried
from penstock.registry.moves import Move, moves_of
from penstock.registry.promote import CHAMPION, promote, publish
from penstock.registry.versions import check_version
from penstock.scoring.functions import ALIASES

_BY_GATE = re.compile(r"gate ([0-9a-f-]{36})")


class GateRefuses(PenstockError):
    """A promotion without a gate that lets it through."""


@dataclass(frozen=True)
class Promoted:
    """What is live after a promotion.

    Attributes:
        model: The registered name.
        version: The version that is live.
        before: The version that was; the same where nothing was to be done, None where none was.
        gate_id: The gate that let it through; None of one by force, and where nothing was to be done.
    """

    model: str
    version: int
    before: int | None
    gate_id: str | None = None


def gate_of(reason: str) -> str | None:
    """The id of the gate that a move was made on; None of another."""
    found = _BY_GATE.match(reason)
    return found.group(1) if found else None


def promote_by_gate(spark: Any, model: str, version: int, gate: Gate | None) -> Promoted:
    """Let a version go live, if the newest decision on it beside the version that is live now has passed.

    A promotion that was cut short after the alias moved is finished by another call.

    Args:
        spark: A session.
        model: The registered name.
        version: The version.
        gate: As it is declared now; None where it is not.

    Raises:
        GateRefuses: when there is no such decision, it refused, or other conditions are declared or other rows are in
            the table by now.
        UnknownNameError: when there is no such model or version.
        InvalidRequestError: when somebody else moved the alias meanwhile.
        PenstockError: as for `registry.promote.promote`.
    """

    def by_gate(live: Move | None) -> str:
        decision = None if gate is None else newest_decision(spark, model, version, live)
        if gate is None or decision is None:
            raise _undecided(model, version, live, gate)
        _check(spark, decision, gate)
        return decision.id

    return _promote(spark, model, version, lambda live: f"gate {by_gate(live)}")


def promote_by_force(spark: Any, model: str, version: int, *, reason: str) -> Promoted:
    """Let a version go live whatever its gate says; the reason is kept in the alias's history.

    Raises:
        InvalidRequestError: when there is no reason, or somebody else moved the alias meanwhile.
        UnknownNameError: when there is no such model or version.
        PenstockError: as for `registry.promote.promote`.
    """
    if not reason.strip():
        raise InvalidRequestError("a forced promotion has no reason", where=f"model {model}", fix='--reason "…"')
    return _promote(spark, model, version, lambda _: f"forced: {reason.strip()}")


def _promote(spark: Any, model: str, version: int, reason_for: Callable[[Move | None], str]) -> Promoted:
    check_version(model, version)

    def move() -> Promoted:
        moves = moves_of(spark, model, CHAMPION)
        live = moves[-1] if moves else None
        before = None if live is None else live.version.version
        if before == version:
            publish(spark, model)
            return Promoted(model, version, before)
        reason = reason_for(live)
        promote(spark, model, version, expected=before, reason=reason)
        return Promoted(model, version, before, gate_of(reason))

    # Of two at once Delta ends one, which then finds that the other has moved the alias.
    return retried(ALIASES, move)


def _check(spark: Any, decision: Decision, gate: Gate) -> None:
    row = decision.row
    where = f"gate {decision.id} of {row['relation']} version {row['relation_version']}"
    who = f"version {row['challenger']} of model '{gate.model}'"
    again = f"penstock gate {gate.model} --challenger {row['challenger']}"
    if row["definition"] != gate.as_text():
        raise GateRefuses(f"{who} was judged by other conditions than are declared now", where=where, fix=again)
    now = delta_version(spark, row["relation"])
    if row["relation_version"] != now:
        raise GateRefuses(
            f"{who} was judged on other rows than the table has now, at version {now}", where=where, fix=again
        )
    if not decision.passed:
        failed = [each for each in decision.conditions if not each.passed]
        raise GateRefuses(
            f"the gate refused {who}: " + "; ".join(f"{each.name} ({each.told})" for each in failed),
            where=where,
            fix='train a better version, or, if it has to be, penstock promote … --force --reason "…"',
        )


def _undecided(model: str, version: int, live: Move | None, gate: Gate | None) -> GateRefuses:
    if gate is None:
        by_force = 'penstock promote … --force --reason "…"'
        return GateRefuses(
            f"model '{model}' has no gate",
            where=f"model {model}",
            fix=f"declare meta: {{penstock: {{gate: …}}}} at the node that trains it, or {by_force}",
        )
    beside = "while none is live" if live is None else f"beside version {live.version.version}, which is live"
    return GateRefuses(
        f"no gate has judged version {version} of model '{model}' {beside}",
        where=f"model {model}",
        fix=f"penstock gate {model} --challenger {version}",
    )
