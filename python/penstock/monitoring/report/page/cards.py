"""The few figures at the head of a page."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.monitoring.report.calibrated import AS_IS, CALIBRATED, Calibration
from penstock.monitoring.report.collected import Collected
from penstock.monitoring.report.drifted import Drift
from penstock.monitoring.report.figures import between, count, moment, number, period, share
from penstock.monitoring.report.performed import Performance

GOOD, BAD = "good", "bad"


@dataclass(frozen=True)
class Card:
    """A figure: what it is, its value, what stands under it; `good` and `bad` are said in words, too."""

    name: str
    value: str
    beside: str = ""
    class_: str = ""


def cards_of(collected: Collected) -> list[Card]:
    """The figures of a report, as far as there are any."""
    cards = [_live(collected), _gate(collected)]
    if isinstance(collected.performance, Performance):
        cards += _performance(collected.performance)
    if isinstance(collected.calibration, Calibration):
        cards.append(_calibration(collected.calibration))
    drifts = [each for _, each in collected.drifts if isinstance(each, Drift)]
    if drifts:
        cards.append(_drift(drifts))
    if collected.tests:
        cards.append(_tests(collected))
    return cards


def _live(collected: Collected) -> Card:
    live = collected.live
    if live is None:
        return Card("Live", "none", "no version has been promoted")
    since = moment(live.at, collected.known.at)
    return Card("Live", f"version {live.version.version}", f"since {since}, {_words(live.reason)}")


def _words(reason: str) -> str:
    """A reason; the id of a gate is long, and its start tells it apart."""
    first, _, rest = reason.partition(" ")
    return f"gate {rest[:8]}" if first == "gate" else reason


def _gate(collected: Collected) -> Card:
    if not collected.decisions:
        return Card("Newest gate", "–", "none has decided yet" if collected.belonging.gate else "none is declared")
    newest = collected.decisions[0]
    passed = newest["verdict"] == "passed"
    told = f"version {newest['challenger']}, {moment(newest['decided_at'], collected.known.at)}"
    return Card("Newest gate", f"{'✓' if passed else '✕'} {newest['verdict']}", told, GOOD if passed else BAD)


def _performance(performance: Performance) -> list[Card]:
    cards = []
    newest = performance.newest
    for metric in performance.metrics if newest else ():
        value = newest.realised.get(metric) if newest else None
        if newest and value is not None and value.value is not None:
            bounds = between(value.low, value.high)
            told = f"{bounds}, " if bounds else ""
            cards.append(Card(metric, number(value.value), f"{told}{period(newest.start, performance.bucket)}"))
    rows, final = (sum(getattr(each, name) for each in performance.periods) for name in ("rows", "final"))
    return [*cards, Card("Final labels", share(final, rows), f"of {count(rows)} rows")]


def _calibration(calibration: Calibration) -> Card:
    after = calibration.sides.get(CALIBRATED)
    told = f"{number(after.ece)} when calibrated" if after else f"of {count(calibration.sides[AS_IS].rows)} rows"
    return Card("Calibration error", number(calibration.sides[AS_IS].ece), told)


def _drift(drifts: list[Drift]) -> Card:
    drifted, features = sum(each.drifted for each in drifts), sum(each.all_features for each in drifts)
    told = f"of {count(features)} features, in the window to {drifts[0].windows[-1]:%Y-%m-%d}"
    return Card("Drifted", f"{'✕' if drifted else '✓'} {count(drifted)}", told, BAD if drifted else GOOD)


def _tests(collected: Collected) -> Card:
    ran = [each for each in collected.tests if each.status != "not run"]
    failed = [each for each in ran if each.status not in ("pass", "skipped")]
    if not ran:
        return Card("Tests", "–", "none ran in dbt's last invocation")
    value = f"✕ {count(len(failed))} not passed" if failed else f"✓ {count(len(ran))} passed"
    return Card("Tests", value, f"of {count(len(collected.tests))}", BAD if failed else GOOD)
