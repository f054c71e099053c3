"""Pass: leaves that look at other times than their rows' own: cumulative ranges and offsets.

What can be added up is added up first, one row a period, and only then joined to the time spine; the rest is joined row
by row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from penstock.algebra.aggregates import aggregate
from penstock.errors import InvalidRequestError
from penstock.manifest.model import NonAdditive
from penstock.semantic.by_period import by_period
from penstock.semantic.custom_offset import OffsetSpine
from penstock.semantic.expressions import all_of, any_of, earlier, truncated
from penstock.semantic.known import known_test
from penstock.semantic.leaves import Running, Shift
from penstock.semantic.names import METRIC_TIME, Item, finer_or_same, is_standard
from penstock.semantic.plain import within_range
from penstock.semantic.plan import Branch, TimeRange, is_metric_time
from penstock.semantic.reach import within_reach
from penstock.semantic.resolve import Condition, items_in, reference_item
from penstock.semantic.scope import Context, Scope
from penstock.semantic.source import axis, is_there, period_of, picked, source_rows
from penstock.semantic.spine import Spine
from penstock.semantic.stage import Stage, selected, subquery
from penstock.semantic.templates import Reference
from penstock.semantic.to_spine import joined_to_spine

_MOMENT = "moment"


def over_time_stage(context: Context, branch: Branch, keys: tuple[Item, ...], time_range: TimeRange | None) -> Stage:
    """The leaves of a cumulative or offset branch, one row for each of the keys.

    Raises:
        InvalidRequestError: An offset is asked for without a time to group by.
    """
    return _OverTime(context, branch, keys, time_range).stage()


@dataclass
class _Timed:
    """A condition that looks at a moved time, and by which of the shifts it is moved (all of those before `level`)."""

    condition: Condition
    level: int


class _OverTime:
    def __init__(self, context: Context, branch: Branch, keys: tuple[Item, ...], time_range: TimeRange | None) -> None:
        self.context, self.branch, self.shape = context, branch, branch.shape
        self.time_range = time_range
        self.scope = Scope(context, self.shape.model, self.shape.time_dimension)
        self.where = f"metric {branch.leaves[0][1].metric}"
        self.base = self.scope.time_grain()
        self.time_keys = tuple(k for k in keys if self._is_time(k))
        self.other_keys = tuple(k for k in keys if not self._is_time(k))
        self.row_tests: list[exp.Expr] = []
        self.timed: list[_Timed] = []
        self.hidden: dict[Item, str] = {}
        self._split_conditions()
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
        if grain is not None:
            # what a filter on a moved time needs beside it splits groups, which have to be put together after it
            mode = self._mode() if self.hidden else "done"
            return self._shifted(self._rows(grain, mode), grain, mode)
        return self._shifted(self._rows(self.base, self._mode()), self.base, self._mode(), only_starts=True)

    def _is_time(self, item: Item) -> bool:
        return is_metric_time(self.context.catalog, item, self.shape.model, self.shape.time_dimension)

    def _split_conditions(self) -> None:
        """Conditions on rows are for the rows; those on a moved time wait until the time is there."""
        shifts = self.shape.shifts
        if self.shape.known is not None:
            self.row_tests.append(known_test(self.scope, self.shape.known))
        own = (*self.shape.own, *self.shape.extra)
        # level n: n shifts are between the condition's time and the row's; a running total stands before all of them
        levels = [(c, 0) for c in own] + [(c, i + 1) for i, s in enumerate(shifts) for c in s.conditions]
        for condition, level in levels:
            items = items_in(self.context.catalog, self.shape.model, condition)
            times = [i for i in items or () if self._is_time(i)]
            if not times or (level == 0 and self.shape.running is None):
                self.row_tests.append(self.scope.condition(condition))
                continue
            self.timed.append(_Timed(condition, level))
            for item in items or ():
                if not self._is_time(item):
                    self.hidden.setdefault(item, f"filter__{item.column}")

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
        columns |= {name: self.scope.item(i) for i, name in self.hidden.items()}
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
            value, entry = found[f"{column}__value"], aggregate(leaf.aggregation.agg)
            if mode == "done":
                taken[column] = entry.over_rows(value, leaf.aggregation)
            elif mode == "rows":
                taken[column] = value
            else:
                taken |= {f"{column}__{part.name}": part.partial(value) for part in entry.parts}
        return selected(rows, taken, group_by=0 if mode == "rows" else len(columns))

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
            elif mode == "moved":
                found[column] = exp.column(f"{column}__value", alias)
            else:
                found[column] = exp.column(column, alias)
        return found

    def _parts(self, alias: str) -> dict[str, exp.Expr]:
        """The leaves' partial states from joined rows, put together but not finished."""
        return {
            f"{column}__{part.name}": part.merge(exp.column(f"{column}__{part.name}", alias))
            for column, leaf in self.branch.leaves
            for part in aggregate(leaf.aggregation.agg).parts
        }

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
        if self.time_range is not None and self.shape.non_additive is None and not shifts:
            self.row_tests += within_reach(self.scope.time(), self.base, running, self.time_range)
        rows = self._rows(self.base, mode)
        others: dict[str, exp.Expr] = {k.column: exp.column(k.column, alias) for k in self.other_keys}
        values = self._values(mode, alias)
        if shifts:
            carried = {name: exp.column(name, alias) for name in self.hidden.values()}
            keys = {_MOMENT: spine.moment.copy(), **others, **carried}
            joined = self._join(spine, rows, alias, on, self._tests(spine, alias, 0), shown=False)
            if not self.hidden:
                mode = "done"
            elif mode == "parts":
                values = self._parts(alias)
            else:
                values = {column: exp.column(column, alias) for column, _ in self.branch.leaves}
            totals = selected(joined, {**keys, **values}, group_by=0 if mode == "rows" else len(keys))
            shown = self._shifted(totals, self.base, mode, keep_moment=self._coarse())
            return by_period(self._filled(shown), _MOMENT, running.period_agg)
        times = {k.column: spine.item(k) for k in self.time_keys}
        keys = {**times, **others}
        if self._coarse() and self.time_keys:
            keys = {_MOMENT: spine.moment.copy(), **keys}
        joined = self._join(spine, rows, alias, on, self._tests(spine, alias, 0))
        return by_period(self._filled(Stage(joined, keys, values, grouped=True)), _MOMENT, running.period_agg)

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
            self._timed_test(timed.condition, spine, spine.moment, "")
            for timed in self.timed
            if timed.level == len(self.shape.shifts) and self._only_time(timed.condition)
        ]
        if self.time_range is not None:
            tests.append(within_range(spine.moment, self.time_range))
        periods = [spine.item(k) for k in self.time_keys]
        rows = spine.rows()
        test = all_of(tests)
        if test is not None:
            rows = rows.where(test, copy=False)
        return selected(rows, {_MOMENT: exp.Max(this=spine.moment.copy())}).group_by(*periods, copy=False)

    def _only_time(self, condition: Condition) -> bool:
        items = items_in(self.context.catalog, self.shape.model, condition)
        return bool(items) and all(self._is_time(i) for i in items or ())

    def _moved_and_picked(self, non_additive: NonAdditive, grain: str, *, only_starts: bool) -> Stage:
        """An offset of a semi-additive metric: it is taken at one moment of each period shown, so rows move first."""
        alias = "earlier"
        at, groups = axis(self.scope, non_additive)
        within = {f"within__{i}": group for i, group in enumerate(groups)}
        columns = {_MOMENT: truncated(grain, self.scope.time()), "at": at, **within}
        columns |= {k.column: self.scope.item(k) for k in self.other_keys}
        columns |= {name: self.scope.item(i) for i, name in self.hidden.items()}
        for column, leaf in self.branch.leaves:
            columns[f"{column}__value"] = self.scope.value(leaf.aggregation.expr, f"metric {leaf.metric}")
        test = all_of([*self.row_tests, *(is_there(g) for g in groups)])
        rows = self.scope.rows()
        rows = selected(rows if test is None else rows.where(test, copy=False), columns)
        moved = self._shifted(rows, grain, "moved", only_starts=only_starts)
        period = period_of(self.scope, non_additive, self.time_keys)
        parts: list[exp.Expr] = [exp.column(name, alias) for name in within]
        parts += [moved.keys[period.column]] if period is not None else []
        picks, found = picked(
            moved.rows, {**moved.keys, **moved.values}, exp.column("at", alias), parts, non_additive, "moved"
        )
        return Stage(
            picks,
            {name: found[name] for name in moved.keys},
            {
                c: aggregate(leaf.aggregation.agg).over_rows(found[c], leaf.aggregation)
                for c, leaf in self.branch.leaves
            },
            grouped=True,
        )

    def _shifted(
        self, rows: exp.Select, grain: str, mode: str, *, keep_moment: bool = False, only_starts: bool = False
    ) -> Stage:
        """Put at each moment of the spine what lies an offset before it, as `_rows` made it."""
        alias = "earlier"
        spine, moved = self._spine_and_source(grain)
        on = [exp.EQ(this=exp.column(_MOMENT, alias), expression=moved)]
        keys: dict[str, exp.Expr] = {_MOMENT: spine.moment.copy()} if keep_moment else {}
        keys |= {k.column: spine.item(k) for k in self.time_keys}
        keys |= {k.column: exp.column(k.column, alias) for k in self.other_keys}
        tests = self._tests(spine, alias, 1)
        if only_starts and any(s.to_grain for s in self.shape.shifts):
            tests += self._period_starts(spine)
        return Stage(self._join(spine, rows, alias, on, tests), keys, self._values(mode, alias), mode != "done")

    def _spine_and_source(self, grain: str) -> tuple[Spine, exp.Expr]:
        """The spine of the moments shown, and the moment from which the value for each of them comes."""
        window = self.shape.shifts[0].window
        if len(self.shape.shifts) == 1 and window is not None and not is_standard(window.grain):
            only = all(k.grain == window.grain for k in self.time_keys)
            custom = OffsetSpine(self.context, window, only_periods=only)
            return custom, truncated(grain, custom.source)
        spine = Spine(self.context, grain, where=self.where)
        return spine, self._moved(spine.moment, len(self.shape.shifts))

    def _period_starts(self, spine: Spine) -> list[exp.Expr]:
        """The value at the start of a period counts once in the longer period asked for, not once a day of it."""
        grains = {self.context.catalog.standard(k.grain) for k in self.time_keys if k.grain}
        if spine.grain in grains:
            return []
        starts = [exp.EQ(this=spine.item(k), expression=spine.moment.copy()) for k in self.time_keys if k.grain]
        test = any_of(starts)
        return [] if test is None else [test]

    def _moved(self, moment: exp.Expr, down_from: int, down_to: int = 0) -> exp.Expr:
        """The moment that a value is taken from, seen from the moment at which it is shown."""
        for shift in reversed(self.shape.shifts[down_to:down_from]):
            moment = _before(moment, shift, self.where)
        return moment

    def _tests(self, spine: Spine, alias: str, least_level: int) -> list[exp.Expr]:
        """The conditions on the spine's time from a level on, and the request's time constraint at the outermost."""
        outermost = len(self.shape.shifts)
        tests = []
        for timed in self.timed:
            here = timed.level >= 1 if least_level else timed.level == 0
            if not here:
                continue
            moment = self._moved(spine.moment, outermost, timed.level) if least_level else spine.moment
            tests.append(self._timed_test(timed.condition, spine, moment, alias))
        # before an offset a running total is limited too: MetricFlow's answer has no moment whose value comes from
        # outside of the constraint
        if self.time_range is not None:
            tests.append(within_range(spine.moment, self.time_range))
        return tests

    def _timed_test(self, condition: Condition, spine: Spine, moment: exp.Expr, alias: str) -> exp.Expr:
        where = f"{condition.where}: {condition.filter.text}"

        def column(reference: Reference) -> exp.Expr:
            item = reference_item(self.context.catalog, (self.shape.model,), reference, condition.default_grain, where)
            if not self._is_time(item):
                return exp.column(self.hidden[item], alias)
            if moment == spine.moment:
                return spine.item(item)
            return self.scope.of_time(moment, item, self.base)

        return condition.filter.bind(column)

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
