"""Pass: leaves that look at other times than their rows' own: cumulative ranges and offsets.

What can be added up is added up first, one row a period, and only then joined to the time spine. Of what is counted by
its values each is joined once a period, the rest row by row.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from penstock.algebra.aggregates import aggregate
from penstock.errors import InvalidRequestError
from penstock.manifest.model import NonAdditive
from penstock.semantic.by_period import by_period
from penstock.semantic.context import Context
from penstock.semantic.custom_offset import OffsetSpine
from penstock.semantic.expressions import all_of, any_of, earlier, truncated, when
from penstock.semantic.filters import some, split_filters
from penstock.semantic.known import known_tests
from penstock.semantic.leaves import Running, Shift
from penstock.semantic.names import METRIC_TIME, Item, finer_or_same, is_standard
from penstock.semantic.plain import within_range
from penstock.semantic.plan import Branch, TimeRange, is_metric_time
from penstock.semantic.reach import limits_of, reach_of_offset, reach_of_total
from penstock.semantic.scope import Scope
from penstock.semantic.source import axis, is_there, period_of, picked, source_rows
from penstock.semantic.spine import Spine
from penstock.semantic.stage import Stage, selected, subquery
from penstock.semantic.timed_conditions import TimedConditions
from penstock.semantic.to_spine import joined_to_spine

_MOMENT = "moment"


def over_time_stage(context: Context, branch: Branch, keys: tuple[Item, ...], time_range: TimeRange | None) -> Stage:
    """The leaves of a cumulative or offset branch, one row for each of the keys.

    Raises:
        InvalidRequestError: An offset is asked for without a time to group by.
    """
    return _OverTime(context, branch, keys, time_range).stage()


class _OverTime:
    def __init__(self, context: Context, branch: Branch, keys: tuple[Item, ...], time_range: TimeRange | None) -> None:
        self.context, self.branch, self.shape = context, branch, branch.shape
        self.time_range = time_range
        self.scope = Scope(context, self.shape.model, self.shape.time_dimension, known=self.shape.known)
        self.where = f"metric {branch.leaves[0][1].metric}"
        self.base = self.scope.time_grain()
        self.time_keys = tuple(k for k in keys if self._is_time(k))
        self.other_keys = tuple(k for k in keys if not self._is_time(k))
        self.conditions = TimedConditions(self.scope, self.shape, self._is_time)
        self.row_tests = [*known_tests(self.scope, self.shape.known), *self.conditions.of_rows]
        in_shape = (*self.shape.own, *self.shape.extra)
        where, self.own = split_filters(
            {
                column: [self.scope.condition(c) for c in (*leaf.own, *leaf.extra) if c not in in_shape]
                for column, leaf in branch.leaves
            }
        )
        self.row_tests += where
        if self.shape.shifts and not self.time_keys:
            raise InvalidRequestError(
                f"{self.where} looks back in time, so it has to be grouped by time",
                where="group_by",
                fix="add metric_time",
            )

    def stage(self) -> Stage:
        if self.shape.running is not None:
            return self._running(self.shape.running)
        grain = self._grain_to_join_first()
        if self.shape.non_additive is not None:
            return self._moved_and_picked(self.shape.non_additive, grain or self.base, only_starts=grain is None)
        if grain is None:
            return self._shifted(None, self.base, mode=self._mode(), only_starts=True)
        # rows that are kept apart for a filter are put together once they are tested
        return self._shifted(None, grain, mode=self._mode() if self.conditions.hidden else "done")

    def _is_time(self, item: Item) -> bool:
        return is_metric_time(self.context.catalog, item, self.shape.model, self.shape.time_dimension)

    def _mode(self) -> str:
        whole = all(aggregate(leaf.aggregation.agg).decomposable for _, leaf in self.branch.leaves)
        return "parts" if whole else "rows"

    def _grain_to_join_first(self) -> str | None:
        """The grain by which an offset's input may be aggregated before it is moved; None where it would lose rows.

        Above the grain of its offset a period can't be moved as a whole; weeks don't add up to longer periods.
        """
        grains = [k.grain for k in self.time_keys if k.grain]
        if not grains or not all(is_standard(g) for g in grains):
            return None
        smallest = self.context.catalog.finest_of(tuple(grains))
        if smallest == "week" and any(g in ("month", "quarter", "year") for g in grains):
            return None
        for shift in self.shape.shifts:
            by = shift.window.grain if shift.window is not None else shift.to_grain
            if by is None or not is_standard(by) or not finer_or_same(smallest, by):
                return None
            if shift.to_grain and smallest == "week":
                return None
        return smallest

    def _rows(self, grain: str, mode: str) -> exp.Select:
        """The fact's rows by moment and keys, as finished values ('done'), partial states ('parts') or 'rows'."""
        columns = {_MOMENT: truncated(grain, self.scope.time())}
        columns |= {k.column: self.scope.item(k) for k in self.other_keys}
        columns |= {name: self.scope.item(i) for i, name in self.conditions.hidden.items()}
        values = {
            f"{c}__value": self.scope.value(leaf.aggregation.expr, f"metric {leaf.metric}")
            for c, leaf in self.branch.leaves
        }
        rows, found = source_rows(
            self.scope,
            {**columns, **values},
            self.row_tests,
            self.shape.non_additive,
            (*self.time_keys, *self.other_keys),
        )
        taken = {name: found[name] for name in columns}
        for column, leaf in self.branch.leaves:
            test, entry = self.own[column], aggregate(leaf.aggregation.agg)
            value = when(test, found[f"{column}__value"])
            if test is not None and column in self.branch.asked:
                taken[f"{column}__some"] = some(test) if mode == "rows" else exp.Max(this=some(test))
            if mode == "done":
                taken[column] = entry.over_rows(value, leaf.aggregation)
            elif mode == "rows":
                taken[column] = value
            else:
                taken |= {f"{column}__{part.name}": part.partial(value) for part in entry.parts}
        if mode == "rows":
            once = all(aggregate(leaf.aggregation.agg).idempotent for _, leaf in self.branch.leaves)
            return selected(rows, taken, distinct=once)
        return selected(rows, taken, group_by=len(columns))

    def _values(self, mode: str, alias: str) -> dict[str, exp.Expr]:
        """The leaves' values from joined rows that `_rows` made."""
        found: dict[str, exp.Expr] = {}
        for column, leaf in self.branch.leaves:
            entry = aggregate(leaf.aggregation.agg)
            if mode == "parts":
                parts = [part.merge(exp.column(f"{column}__{part.name}", alias)) for part in entry.parts]
                found[column] = entry.finish(parts)
            elif mode == "rows":
                found[column] = entry.over_rows(exp.column(column, alias), leaf.aggregation)
            else:
                found[column] = exp.column(column, alias)
        return found

    def _states(self, mode: str, alias: str) -> dict[str, exp.Expr]:
        """What `_rows` made, to be put together later: 'parts' as far as they can be, 'rows' as they are."""
        if mode == "rows":
            return {column: exp.column(column, alias) for column, _ in self.branch.leaves}
        return {
            (name := f"{column}__{part.name}"): part.merge(exp.column(name, alias))
            for column, leaf in self.branch.leaves
            for part in aggregate(leaf.aggregation.agg).parts
        }

    def _found(self, mode: str, alias: str) -> dict[str, exp.Expr]:
        """1 for each leaf that has rows, where that is asked and not always so, from joined rows that `_rows` made."""
        tested = [column for column, test in self.own.items() if test is not None and column in self.branch.asked]
        marks = {column: exp.column(f"{column}__some", alias) for column in tested}
        return {column: mark if mode == "done" else exp.Max(this=mark) for column, mark in marks.items()}

    def _running(self, running: Running) -> Stage:
        """Join what lies in the range of each moment of the spine."""
        mode, alias, shifts = self._mode(), "daily" if self.base == "day" else "periods", self.shape.shifts
        spine = Spine(self.context, self.base, where=self.where)
        moment = exp.column(_MOMENT, alias)
        on: list[exp.Expr] = [exp.LTE(this=moment, expression=spine.moment.copy())]
        if running.window is not None:
            if not is_standard(running.window.grain):
                raise InvalidRequestError(
                    f"a window can't be counted in the custom grain '{running.window.grain}'", where=self.where
                )
            on.append(exp.GT(this=moment.copy(), expression=earlier(spine.moment, running.window)))
        elif running.grain_to_date is not None:
            on.append(exp.GTE(this=moment.copy(), expression=spine.start_of(running.grain_to_date)))
        tests = self._tests(spine, alias, 0)
        if self.shape.non_additive is None:
            limits = limits_of(spine.moment, tests)
            self.row_tests += reach_of_total(self.scope.time(), self.base, running, limits)
        rows = self._rows(self.base, mode)
        others: dict[str, exp.Expr] = {k.column: exp.column(k.column, alias) for k in self.other_keys}
        values = self._values(mode, alias)
        if shifts:
            carried = {name: exp.column(name, alias) for name in self.conditions.carried.values()}
            keys = {_MOMENT: spine.moment.copy(), **others, **carried}
            joined = self._join(spine, rows, alias, on, tests, shown=False)
            after = mode if carried else "done"
            states = self._states(mode, alias) if carried else values
            totals = selected(joined, {**keys, **states}, group_by=0 if after == "rows" else len(keys))
            shown = self._shifted(totals, self.base, mode=after, keep_moment=self._coarse())
            return by_period(self._filled(shown), _MOMENT, running.period_agg)
        times = {k.column: spine.item(k) for k in self.time_keys}
        keys = {**times, **others}
        if self._coarse() and self.time_keys:
            keys = {_MOMENT: spine.moment.copy(), **keys}
        joined = self._join(spine, rows, alias, on, tests)
        stage = Stage(joined, keys, values, grouped=True, found=self._found(mode, alias))
        return by_period(self._filled(stage), _MOMENT, running.period_agg)

    def _filled(self, stage: Stage) -> Stage:
        """The running totals with the moments and the values that are to stand where there are none."""
        if self.shape.to_spine:
            moment = Item("metric_time", (), METRIC_TIME, self.base)
            keys = (*self.time_keys, *self.other_keys)
            if _MOMENT in stage.keys:
                stage.keys = {moment.column: stage.keys.pop(_MOMENT), **stage.keys}
                keys = (moment, *keys)
            stage = joined_to_spine(self.context, stage, self.shape, keys, self.time_range)
            if self._coarse():
                stage.keys = {_MOMENT: stage.keys.pop(moment.column), **stage.keys}
        fills = {column: leaf.fill for column, leaf in self.branch.leaves if leaf.fill is not None}
        for column, fill in fills.items():
            stage.values[column] = exp.Coalesce(this=stage.values[column], expressions=[exp.Literal.number(fill)])
        return stage

    def _coarse(self) -> bool:
        """Whether several moments of a running total have to be put together for a period that is asked for."""
        return self._longer() and not self._only_ends()

    def _longer(self) -> bool:
        """Whether the query groups by time, but by nothing as fine as the metric's own grain."""
        return not any(k.grain == self.base for k in self.time_keys)

    def _only_ends(self) -> bool:
        """Whether only the last moment of each period is shown, so that there is nothing to put together."""
        return self.shape.running is not None and self.shape.running.period_agg == "end" and self._longer()

    def _ends(self) -> exp.Select:
        """The last moment of each period, of those that the filters on time let through."""
        spine = Spine(self.context, self.base, alias="every", where=self.where)
        tests = [
            self.conditions.test(timed.condition, spine, spine.moment, "", self.base)
            for timed in self.conditions.waiting
            if timed.level == len(self.shape.shifts) and self.conditions.only_time(timed.condition)
        ]
        if self.time_range is not None:
            tests.append(within_range(spine.moment, self.time_range))
        periods = [spine.item(k) for k in self.time_keys]
        rows = spine.rows()
        test = all_of(tests)
        if test is not None:
            rows = rows.where(test, copy=False)
        return selected(rows, {_MOMENT: exp.Max(this=spine.moment.copy())}).group_by(*periods, copy=False)

    def _moved_and_picked(self, non_additive: NonAdditive, grain: str, *, only_starts: bool) -> Stage:
        """An offset of a semi-additive metric: it is taken at one moment of each period shown, so rows move first."""
        alias = "earlier"
        at, groups = axis(self.scope, non_additive)
        within = {f"within__{i}": group for i, group in enumerate(groups)}
        columns = {_MOMENT: truncated(grain, self.scope.time()), "at": at, **within}
        columns |= {k.column: self.scope.item(k) for k in self.other_keys}
        columns |= {name: self.scope.item(i) for i, name in self.conditions.hidden.items()}
        for column, leaf in self.branch.leaves:
            value = self.scope.value(leaf.aggregation.expr, f"metric {leaf.metric}")
            columns[column] = when(self.own[column], value)
        test = all_of([*self.row_tests, *(is_there(g) for g in groups)])
        rows = self.scope.rows()
        rows = selected(rows if test is None else rows.where(test, copy=False), columns)
        moved = self._shifted(rows, grain, mode="done", only_starts=only_starts)
        period = period_of(self.scope, non_additive, self.time_keys)
        parts: list[exp.Expr] = [exp.column(name, alias) for name in within]
        parts += [moved.keys[period.column]] if period is not None else []
        kept = {**moved.keys, **moved.values}
        picks, found = picked(moved.rows, kept, exp.column("at", alias), parts, non_additive, "moved")
        values = {
            column: aggregate(leaf.aggregation.agg).over_rows(found[column], leaf.aggregation)
            for column, leaf in self.branch.leaves
        }
        return Stage(picks, {name: found[name] for name in moved.keys}, values, grouped=True)

    def _shifted(
        self,
        totals: exp.Select | None,
        grain: str,
        *,
        mode: str,
        keep_moment: bool = False,
        only_starts: bool = False,
    ) -> Stage:
        """Put at each moment of the spine what lies an offset before it: of running totals, or else of the rows."""
        alias = "earlier"
        spine, moved = self._spine_and_source(grain)
        on = [exp.EQ(this=exp.column(_MOMENT, alias), expression=moved)]
        keys: dict[str, exp.Expr] = {_MOMENT: spine.moment.copy()} if keep_moment else {}
        keys |= {k.column: spine.item(k) for k in self.time_keys}
        keys |= {k.column: exp.column(k.column, alias) for k in self.other_keys}
        tests = self._tests(spine, alias, 1)
        if totals is None and self.shape.non_additive is None and not isinstance(spine, OffsetSpine):
            limits = limits_of(spine.moment, tests)
            self.row_tests += reach_of_offset(self.scope.time(), grain, self._source, limits)
        rows = self._rows(grain, mode) if totals is None else totals
        grouped = mode != "done"
        if only_starts and any(s.to_grain for s in self.shape.shifts):
            tests += self._period_starts(spine)
        joined = self._join(spine, rows, alias, on, tests)
        return Stage(joined, keys, self._values(mode, alias), grouped, self._found(mode, alias))

    def _spine_and_source(self, grain: str) -> tuple[Spine, exp.Expr]:
        """The spine of the moments shown, and the moment from which the value for each of them comes."""
        window = self.shape.shifts[0].window
        if len(self.shape.shifts) == 1 and window is not None and not is_standard(window.grain):
            only = all(k.grain == window.grain for k in self.time_keys)
            custom = OffsetSpine(self.context, window, only_periods=only)
            return custom, truncated(grain, custom.source)
        spine = Spine(self.context, grain, where=self.where)
        return spine, self._source(spine.moment)

    def _period_starts(self, spine: Spine) -> list[exp.Expr]:
        """The value at the start of a period counts once in the longer period asked for, not once a day of it."""
        grains = {self.context.catalog.standard(k.grain) for k in self.time_keys if k.grain}
        if spine.grain in grains:
            return []
        starts = [exp.EQ(this=spine.item(k), expression=spine.moment.copy()) for k in self.time_keys if k.grain]
        test = any_of(starts)
        return [] if test is None else [test]

    def _source(self, shown: exp.Expr) -> exp.Expr:
        """The moment from which the value comes that is shown at a moment."""
        return self._moved(shown, len(self.shape.shifts))

    def _moved(self, moment: exp.Expr, down_from: int, down_to: int = 0) -> exp.Expr:
        """The moment that a value is taken from, seen from the moment at which it is shown."""
        for shift in reversed(self.shape.shifts[down_to:down_from]):
            moment = _before(moment, shift, self.where)
        return moment

    def _tests(self, spine: Spine, alias: str, least_level: int) -> list[exp.Expr]:
        """The conditions on the spine's time from a level on, and the request's time constraint at the outermost."""
        outermost = len(self.shape.shifts)
        tests = []
        for timed in self.conditions.waiting:
            here = timed.level >= 1 if least_level else timed.level == 0
            if not here:
                continue
            moment = self._moved(spine.moment, outermost, timed.level) if least_level else spine.moment
            tests.append(self.conditions.test(timed.condition, spine, moment, alias, self.base))
        # before an offset a running total is limited too: MetricFlow's answer has no moment whose value comes from
        # outside of the constraint
        if self.time_range is not None:
            tests.append(within_range(spine.moment, self.time_range))
        return tests

    def _join(
        self,
        spine: Spine,
        rows: exp.Select,
        alias: str,
        on: Iterable[exp.Expr],
        tests: Iterable[exp.Expr],
        *,
        shown: bool = True,
    ) -> exp.Select:
        joined = spine.rows()
        if shown and self._only_ends():
            is_end = exp.EQ(this=spine.moment.copy(), expression=exp.column(_MOMENT, "ends"))
            joined = joined.join(subquery(self._ends(), "ends"), on=is_end, join_type="INNER", copy=False)
        joined = joined.join(subquery(rows, alias), on=all_of(on), join_type="INNER", copy=False)
        test = all_of(tests)
        return joined if test is None else joined.where(test, copy=False)


def _before(moment: exp.Expr, shift: Shift, where: str) -> exp.Expr:
    if shift.window is not None:
        if not is_standard(shift.window.grain):
            raise InvalidRequestError(
                f"an offset by the custom grain '{shift.window.grain}' can't be combined with this", where=where
            )
        return earlier(moment, shift.window)
    assert shift.to_grain is not None
    if not is_standard(shift.to_grain):
        raise InvalidRequestError(f"an offset to the custom grain '{shift.to_grain}' has no meaning", where=where)
    return truncated(shift.to_grain, moment)
