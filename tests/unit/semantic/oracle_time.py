"""Leaves that look at other times than their rows' own: running totals, offsets, and moments without rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import periods
from closed_form import evaluate, references
from oracle import Asked, Group, Leaf, Oracle, Shift, Values, within
from oracle_rows import Key, Row, key_of


def over_time(oracle: Oracle, leaf: Leaf, keys: Sequence[Key], asked: Asked) -> Values:
    """A running total or an offset by group."""
    base = oracle.models.grain(leaf.facts.model, leaf.facts.time or "")
    if leaf.running is None:
        return _shifted(oracle, leaf, keys, asked, base)
    times = [k for k in keys if oracle.models.is_time(leaf.facts, k)]
    coarse = bool(times) and not any(k.grain == base for k in times)
    ends = _ends(oracle, leaf, times, asked, base) if coarse and leaf.running.get("period_agg") == "end" else None
    coarse = coarse and ends is None
    moment = [Key(("metric_time",), base)] if coarse else []
    rows = [
        ((shown, *group) if coarse else group, row)
        for shown, row in _running(oracle, leaf, asked, base)
        for group in [_group(oracle, leaf, keys, row, shown)]
        if ends is None or shown in ends
    ]
    totals = oracle.by_group(leaf, rows, [*moment, *keys])
    if leaf.to_spine and times:
        totals = to_spine(oracle, leaf, [*moment, *keys], asked, totals)
    if leaf.fill is not None:
        totals = {group: leaf.fill if value is None else value for group, value in totals.items()}
    return _by_period(totals, leaf.running.get("period_agg") or "first") if coarse else totals


def _ends(oracle: Oracle, leaf: Leaf, times: Sequence[Key], asked: Asked, base: str) -> set[dt.datetime]:
    """The last moment of each period, of those that the filters on time alone let through."""
    above = (*leaf.own, *leaf.extra) if not leaf.shifts else leaf.shifts[-1].conditions
    choosing = [c for c in above if oracle.only_time(leaf, c)]
    found: dict[Group, dt.datetime] = {}
    for moment in oracle.models.periods(base):
        chosen = all(oracle.holds(leaf, c, {}, moment) for c in choosing)
        if chosen and (asked.between is None or within(asked.between, moment)):
            found[tuple(oracle.models.of_time(moment, k) for k in times)] = moment
    return set(found.values())


def _running(oracle: Oracle, leaf: Leaf, asked: Asked, base: str) -> Iterator[tuple[dt.datetime, Row]]:
    """Each row with each moment at whose total it counts, where that is shown."""
    on_rows, on_moments = _split(oracle, leaf)
    assert leaf.running is not None
    window, to_date = leaf.running.get("window"), leaf.running.get("grain_to_date")
    rows = [r for r in oracle.models.rows(leaf.facts.model) if all(oracle.holds(leaf, c, r) for c in on_rows)]
    moments = oracle.models.periods(base)
    for shown in moments:
        moment = _moved(leaf.shifts, shown)
        if moment not in moments or (asked.between is not None and not within(asked.between, moment)):
            continue
        begin = periods.start(to_date, moment) if to_date else None
        for row in rows:
            then = periods.start(base, oracle.models.moment(leaf.facts, row))
            if then is None or then > moment or (begin is not None and then < begin):
                continue
            if window is not None and then <= periods.earlier(moment, window):
                continue
            if all(oracle.holds(leaf, c, row, moment) for c in on_moments) and _shown(oracle, leaf, asked, shown, row):
                yield shown, row


def _shifted(oracle: Oracle, leaf: Leaf, keys: Sequence[Key], asked: Asked, base: str) -> Values:
    """An offset: at each moment of the spine the rows that lie an offset before it."""
    whole = _whole_periods(oracle, leaf, keys)
    grain = whole or base
    on_rows, _ = _split(oracle, leaf)
    moved: list[tuple[Group, Row]] = []
    rows = [r for r in oracle.models.rows(leaf.facts.model) if all(oracle.holds(leaf, c, r) for c in on_rows)]
    starts = whole is None and any(s.to_grain for s in leaf.shifts)
    for moment in oracle.models.periods(grain):
        if starts and not _begins_a_period(oracle, leaf, keys, moment, base):
            continue
        source = _moved(leaf.shifts, moment)
        for row in rows:
            if periods.start(grain, oracle.models.moment(leaf.facts, row)) == source and _shown(
                oracle, leaf, asked, moment, row
            ):
                moved.append((_group(oracle, leaf, keys, row, moment), row))
    return oracle.by_group(leaf, moved, keys)


def _whole_periods(oracle: Oracle, leaf: Leaf, keys: Sequence[Key]) -> str | None:
    """The grain by which whole periods are moved: the finest asked for, where it is none above that of an offset."""
    grains = [k.grain for k in keys if oracle.models.is_time(leaf.facts, k) and k.grain]
    if not grains:
        return None
    finest = min(grains, key=periods.GRAINS.index)
    if finest == "week" and set(grains) & {"month", "quarter", "year"}:
        return None
    for shift in leaf.shifts:
        by = shift.window["granularity"].removesuffix("s") if shift.window is not None else shift.to_grain
        if not periods.finer(finest, by) or (shift.to_grain and finest == "week"):
            return None
    return finest


def _begins_a_period(oracle: Oracle, leaf: Leaf, keys: Sequence[Key], moment: dt.datetime, base: str) -> bool:
    """A value at a period's start counts once in the longer period asked for."""
    grains = [k.grain for k in keys if oracle.models.is_time(leaf.facts, k) and k.grain]
    return not grains or base in grains or any(periods.start(g, moment) == moment for g in grains)


def _split(oracle: Oracle, leaf: Leaf) -> tuple[list[str], list[str]]:
    """The filters that rows have to pass, and those on the moments of a running total."""
    on_rows, on_moments = [], []
    for condition in (*leaf.own, *leaf.extra):
        timed = leaf.running is not None and oracle.looks_at_time(leaf, condition)
        (on_moments if timed else on_rows).append(condition)
    on_rows += [c for s in leaf.shifts for c in s.conditions if not oracle.looks_at_time(leaf, c)]
    return on_rows, on_moments


def _shown(oracle: Oracle, leaf: Leaf, asked: Asked, moment: dt.datetime, row: Row) -> bool:
    """Whether the filters on time, each looking at what comes out of its shift, let a moment through."""
    if asked.between is not None and not within(asked.between, moment):
        return False
    for i, shift in enumerate(leaf.shifts):
        seen = _moved(leaf.shifts[i + 1 :], moment)
        timed = [c for c in shift.conditions if oracle.looks_at_time(leaf, c)]
        if not all(oracle.holds(leaf, c, row, seen) for c in timed):
            return False
    return True


def _moved(shifts: Sequence[Shift], moment: dt.datetime) -> dt.datetime:
    """The moment from which a value comes, the outermost shift first."""
    for shift in reversed(shifts):
        found = (
            periods.earlier(moment, shift.window)
            if shift.window is not None
            else periods.start(str(shift.to_grain), moment)
        )
        assert found is not None
        moment = found
    return moment


def _group(oracle: Oracle, leaf: Leaf, keys: Sequence[Key], row: Row, moment: dt.datetime | None) -> Group:
    return tuple(
        (oracle.models.of_time(moment, k) if moment is not None else None)
        if oracle.models.is_time(leaf.facts, k)
        else oracle.models.value(leaf.facts, row, k)
        for k in keys
    )


def _by_period(totals: Values, how: str) -> Values:
    """Running totals put together for the longer periods asked for."""
    by_group: dict[Group, list[tuple[dt.datetime, Any]]] = {}
    for (moment, *group), value in totals.items():
        by_group.setdefault(tuple(group), []).append((moment, value))
    found: Values = {}
    for group, values in by_group.items():
        if how == "average":
            there = [v for _, v in values if v is not None]
            found[group] = sum(there) / len(there) if there else None
        else:
            chosen = (min if how == "first" else max)(moment for moment, _ in values)
            (found[group],) = (v for m, v in values if m == chosen)
    return found


def to_spine(oracle: Oracle, leaf: Leaf, keys: Sequence[Key], asked: Asked, values: Values) -> Values:
    """The groups with one for each period that they lack; filters on time choose periods, others look at new rows."""
    above = (*leaf.extra, *(c for s in leaf.shifts[-1:] for c in s.conditions))
    choosing = [c for c in (*leaf.own, *above) if oracle.only_time(leaf, c)]
    again = [c for c in above if not oracle.only_time(leaf, c)]
    at = [i for i, k in enumerate(keys) if oracle.models.is_time(leaf.facts, k)]
    found: Values = {}
    for times in dict.fromkeys(_periods(oracle, leaf, [keys[i] for i in at], asked, choosing)):
        there = [(g, v) for g, v in values.items() if tuple(g[i] for i in at) == times]
        if not there:
            group: list[Any] = [None] * len(keys)
            for i, time in zip(at, times, strict=True):
                group[i] = time
            there = [(tuple(group), None)]
        found |= {g: v for g, v in there if _passes(oracle, leaf, keys, g, again)}
    return found


def _periods(
    oracle: Oracle, leaf: Leaf, times: Sequence[Key], asked: Asked, choosing: Sequence[str]
) -> Iterator[Group]:
    for day in oracle.models.days:
        chosen = all(oracle.holds(leaf, c, {}, day) for c in choosing)
        if chosen and (asked.between is None or within(asked.between, day)):
            yield tuple(oracle.models.of_time(day, k) for k in times)


def _passes(oracle: Oracle, leaf: Leaf, keys: Sequence[Key], group: Group, conditions: Sequence[str]) -> bool:
    """Whether a row of the answer passes the filters that look at nothing but its keys."""
    for condition in conditions:
        named = {r: key_of(oracle.models, leaf.facts.model, r) for r in references(condition)}
        if not named or any(k.of or k not in keys for k in named.values()):
            continue
        if evaluate(condition, lambda r, named=named: group[list(keys).index(named[r])]) is not True:
            return False
    return True
