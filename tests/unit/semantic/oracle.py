"""The answer to a metric request worked out row by row in plain Python, for any manifest that random worlds make.

Its definition of a metric is the documentation's, not the compiler's, of which it knows nothing. A metric is its value
by group, and what it is in a group of the answer that has none of its rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import periods
from closed_form import evaluate, references
from oracle_aggregates import aggregated
from oracle_rows import Facts, Key, Models, Part, Row, key_of

Group = tuple[Any, ...]
Values = dict[Group, Any]


@dataclass(frozen=True)
class Found:
    """A metric by group, and its value where the answer has a group of which it has no row."""

    values: Values
    missing: Any = None

    def at(self, group: Group) -> Any:
        return self.values.get(group, self.missing)


@dataclass(frozen=True)
class Shift:
    """A move in time, and the filters that look at what comes out of it."""

    window: Part | None
    to_grain: str | None
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """Keys by their names and the time constraint, from its start up to but not including its end."""

    keys: tuple[str, ...]
    between: tuple[dt.datetime, dt.datetime] | None = None


@dataclass(frozen=True)
class Leaf:
    """One aggregation of rows, with all that decides which rows and moments it sees.

    `own` are the filters of the simple metric, `extra` those of whoever uses it.
    """

    facts: Facts
    params: Part
    expr: str
    own: tuple[str, ...]
    extra: tuple[str, ...]
    shifts: tuple[Shift, ...] = ()
    running: Part | None = None
    to_spine: bool = False
    fill: Any = None


class Oracle:
    """Answers requests over one world.

    Args:
        manifest: As dbt writes it.
        tables: The rows of each table, by its alias.
    """

    def __init__(self, manifest: Part, tables: Mapping[str, list[Row]]) -> None:
        self.models = Models(manifest, tables)
        self.metrics = {m["name"]: m for m in manifest["metrics"]}
        self._by_entity: dict[tuple[str, tuple[str, ...]], Values] = {}

    def asked(self, request: Mapping[str, Any]) -> Asked:
        """The keys and the time constraint of a request."""
        model = self.facts_of(request["metrics"][0].split(" ")[0])[0]
        keys = tuple(request["group_by"])
        return Asked(keys, self.between(request, [key_of(self.models, model, k) for k in keys]))

    def facts_of(self, name: str) -> list[str]:
        """The models by whose rows a metric is grouped."""
        metric = self.metrics[name]
        if metric["type"] == "simple":
            return [metric["type_params"]["metric_aggregation_params"]["semantic_model"]]
        return list(dict.fromkeys(model for given in inputs_of(metric) for model in self.facts_of(given["name"])))

    def metric(
        self,
        name: str,
        asked: Asked,
        extra: tuple[str, ...],
        shifts: tuple[Shift, ...] = (),
        running: Part | None = None,
    ) -> Found:
        """A metric by group, under the filters of whoever uses it; `running`: over a range of time."""
        metric = self.metrics[name]
        own, params = _filters(metric), metric["type_params"]
        if metric["type"] == "simple":
            leaf = self._leaf(metric, extra, shifts, running)
            if running is not None:
                return Found(self.values(leaf, asked))
            return Found(_filled(self.values(leaf, asked), leaf.fill), leaf.fill)
        if metric["type"] == "cumulative":
            how = params["cumulative_type_params"]
            extra = (*own, *extra, *_filters(how["metric"]))
            leaf = self._leaf(self.metrics[how["metric"]["name"]], extra, shifts, how)
            return Found(_filled(self.values(leaf, asked), leaf.fill))
        if metric["type"] == "conversion":
            return self._conversion(metric, asked, (*own, *extra))
        parts = [self._input(given, asked, (*own, *extra), shifts, running) for given in inputs_of(metric)]
        groups = dict.fromkeys(group for part in parts for group in part.values)
        if metric["type"] == "ratio":
            above, below = parts
            return Found({group: _divided(above.at(group), below.at(group)) for group in groups})
        names = [given.get("alias") or given["name"] for given in params["metrics"]]
        found = {}
        for group in groups:
            by_name = {n: part.at(group) for n, part in zip(names, parts, strict=True)}
            found[group] = evaluate(params["expr"], by_name.__getitem__)
        return Found(found)

    def _input(
        self,
        given: Part,
        asked: Asked,
        conditions: tuple[str, ...],
        shifts: tuple[Shift, ...],
        running: Part | None,
    ) -> Found:
        conditions = (*conditions, *_filters(given))
        window, to_grain = given.get("offset_window"), given.get("offset_to_grain")
        if window is None and to_grain is None:
            return self.metric(given["name"], asked, conditions, shifts, running)
        return self.metric(given["name"], asked, (), (Shift(window, to_grain, conditions), *shifts), running)

    def _leaf(
        self, metric: Part, extra: tuple[str, ...], shifts: tuple[Shift, ...] = (), running: Part | None = None
    ) -> Leaf:
        params = metric["type_params"]
        own = params["metric_aggregation_params"]
        time = (
            own.get("agg_time_dimension")
            or self.models.by_name[own["semantic_model"]]["defaults"]["agg_time_dimension"]
        )
        return Leaf(
            Facts(own["semantic_model"], time),
            own,
            str(params["expr"]),
            _filters(metric),
            extra,
            shifts,
            running,
            bool(params.get("join_to_timespine")),
            params.get("fill_nulls_with"),
        )

    def keys(self, leaf: Leaf, asked: Asked) -> list[Key]:
        """The keys as the leaf's model knows them."""
        return [key_of(self.models, leaf.facts.model, k) for k in asked.keys]

    def holds(self, leaf: Leaf, condition: str, row: Row, moment: dt.datetime | None = None) -> bool:
        """Whether a row satisfies a filter; its time is `moment`, where one is given."""

        def value(reference: str) -> Any:
            key = key_of(self.models, leaf.facts.model, reference)
            if key.of:
                return self._of_entities(leaf, row, key)
            if moment is not None and self.models.is_time(leaf.facts, key):
                return self.models.of_time(moment, key)
            return self.models.value(leaf.facts, row, key)

        return evaluate(condition, value) is True

    def looks_at_time(self, leaf: Leaf, condition: str) -> bool:
        """Whether a filter looks at the time by which the leaf is aggregated."""
        keys = [key_of(self.models, leaf.facts.model, r) for r in references(condition)]
        return not any(k.of for k in keys) and any(self.models.is_time(leaf.facts, k) for k in keys)

    def only_time(self, leaf: Leaf, condition: str) -> bool:
        """Whether it looks at nothing else."""
        keys = [key_of(self.models, leaf.facts.model, r) for r in references(condition)]
        return bool(keys) and all(not k.of and self.models.is_time(leaf.facts, k) for k in keys)

    def _of_entities(self, leaf: Leaf, row: Row, key: Key) -> Any:
        """The value of a metric for the row's entities."""
        (metric,) = key.path
        if (metric, key.of) not in self._by_entity:
            self._by_entity[metric, key.of] = self.metric(metric, Asked(key.of), ()).values
        group = tuple(
            self.models.value(leaf.facts, row, key_of(self.models, leaf.facts.model, name)) for name in key.of
        )
        return None if None in group else self._by_entity[metric, key.of].get(group)

    def values(self, leaf: Leaf, asked: Asked) -> Values:
        """The leaf by group."""
        from oracle_time import over_time, to_spine

        keys = self.keys(leaf, asked)
        timed = any(self.models.is_time(leaf.facts, k) for k in keys)
        if not timed:  # then a running total is the total
            leaf = replace(leaf, running=None)
        if leaf.running is not None or leaf.shifts:
            found = over_time(self, leaf, keys, asked)
        else:
            rows = [row for row in self.models.rows(leaf.facts.model) if self._counts(leaf, row, asked)]
            of_groups = [(tuple(self.models.value(leaf.facts, row, k) for k in keys), row) for row in rows]
            found = self.by_group(leaf, of_groups, keys)
        if leaf.to_spine and timed and leaf.running is None:
            found = to_spine(self, leaf, keys, asked, found)
        return found

    def of_rows(self, leaf: Leaf, rows: Iterable[Row]) -> Any:
        """The aggregate of rows."""
        return aggregated(leaf.params, [evaluate(leaf.expr, row.__getitem__) for row in rows])

    def _counts(self, leaf: Leaf, row: Row, asked: Asked) -> bool:
        if not all(self.holds(leaf, c, row) for c in (*leaf.own, *leaf.extra)):
            return False
        return asked.between is None or within(asked.between, self.models.moment(leaf.facts, row))

    def by_group(self, leaf: Leaf, rows: list[tuple[Group, Row]], keys: Sequence[Key]) -> Values:
        """The aggregate of rows by their groups; without keys there is one group, of no rows too."""
        groups: dict[Group, list[Row]] = {} if keys else {(): []}
        for group, row in self.thinned(leaf, rows, keys):
            groups.setdefault(group, []).append(row)
        return {group: self.of_rows(leaf, rows) for group, rows in groups.items()}

    def thinned(self, leaf: Leaf, rows: list[tuple[Group, Row]], keys: Sequence[Key]) -> list[tuple[Group, Row]]:
        """Of a semi-additive metric's rows, each with its group, those at the first or last moment.

        That is the first or last of its window groupings and of the period asked for.
        """
        spec = leaf.params.get("non_additive_dimension")
        if spec is None:
            return rows
        seen = replace(leaf.facts, time=spec["name"])
        grain = self.models.grain(leaf.facts.model, leaf.facts.time or "")
        period = next((i for i, k in enumerate(keys) if self._is_axis(leaf, k, spec["name"])), None)
        found: dict[Group, list[tuple[dt.datetime, Group, Row]]] = {}
        for group, row in rows:
            moment = periods.start(grain, self.models.moment(seen, row))
            of = [self.models.value(leaf.facts, row, Key((name,))) for name in spec["window_groupings"]]
            if moment is not None and None not in of:
                of += [group[period]] if period is not None else []
                found.setdefault(tuple(of), []).append((moment, group, row))
        choose = min if spec["window_choice"] == "min" else max
        return [(g, r) for same in found.values() for m, g, r in same if m == choose(other for other, *_ in same)]

    def _is_axis(self, leaf: Leaf, key: Key, axis: str) -> bool:
        if key.is_metric_time:
            return leaf.facts.time == axis
        return self.models.is_time(replace(leaf.facts, time=axis), key)

    def _conversion(self, metric: Part, asked: Asked, extra: tuple[str, ...]) -> Found:
        from oracle_conversion import converted

        how = metric["type_params"]["conversion_type_params"]
        base = self._leaf(self.metrics[how["base_metric"]["name"]], (*extra, *_filters(how["base_metric"])))
        done_metric = self.metrics[how["conversion_metric"]["name"]]
        done = self._leaf(done_metric, _filters(how["conversion_metric"]))
        conversions = _filled(converted(self, base, done, how, asked), done.fill)
        opportunities = _filled(self.values(base, asked), base.fill)
        groups = dict.fromkeys((*conversions, *opportunities))
        if how["calculation"] == "conversions":
            return Found({g: conversions.get(g, done.fill) for g in groups})
        return Found({g: _divided(conversions.get(g, done.fill), opportunities.get(g, base.fill)) for g in groups})

    def between(self, request: Mapping[str, Any], keys: Sequence[Key]) -> tuple[dt.datetime, dt.datetime] | None:
        """The time constraint of a request by these keys, widened to whole periods."""
        given = request.get("time_constraint")
        if not given:
            return None
        grains = [k.grain for k in keys if k.is_metric_time and k.grain]
        names = [text.split(" ")[0] for text in request["metrics"]]
        grain = min(grains, key=periods.GRAINS.index) if grains else self.default_grain(names)
        first, last = (periods.start(grain, dt.datetime.fromisoformat(text)) for text in given)
        assert first is not None and last is not None
        return first, periods.after(grain, last)

    def default_grain(self, names: Iterable[str]) -> str:
        """The coarsest grain of the metrics' times, days at least."""
        grains = ["day"]
        for name in names:
            metric = self.metrics[name]
            if metric["type"] == "simple":
                leaf = self._leaf(metric, ())
                grains.append(self.models.grain(leaf.facts.model, leaf.facts.time or ""))
            else:
                grains.append(self.default_grain(given["name"] for given in inputs_of(metric, every=True)))
        return max(grains, key=periods.GRAINS.index)


def within(between: tuple[dt.datetime, dt.datetime], moment: dt.datetime | None) -> bool:
    """Whether a moment lies in a time constraint."""
    return moment is not None and between[0] <= moment < between[1]


def inputs_of(metric: Part, *, every: bool = False) -> list[Part]:
    """The metrics that a metric is made of; of a conversion its base alone, unless `every` one is wanted."""
    params = metric["type_params"]
    if metric["type"] == "ratio":
        return [params["numerator"], params["denominator"]]
    if metric["type"] == "derived":
        return list(params["metrics"])
    if metric["type"] == "cumulative":
        return [params["cumulative_type_params"]["metric"]]
    how = params["conversion_type_params"]
    return [how["base_metric"], *([how["conversion_metric"]] if every else [])]


def _filters(part: Part) -> tuple[str, ...]:
    return tuple(f["where_sql_template"] for f in (part.get("filter") or {}).get("where_filters", ()))


def _divided(above: Any, below: Any) -> Any:
    return None if above is None or not below else float(above) / float(below)


def _filled(values: Values, fill: Any) -> Values:
    return values if fill is None else {group: fill if value is None else value for group, value in values.items()}
