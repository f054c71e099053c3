"""Random metrics of all types over the models of a world, and filters over what their rows can be grouped by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from world_models import DAYS, Item, Model, Part, Table, World, coarser, items_of, models, relation

from benchmarks import manifests

_DATES = ["2024-01-01", "2024-01-08", "2024-01-31", "2024-02-01", "2024-02-29"]
_COMPARED = {
    "text": ["= 'a'", "<> 'b'", "IS NULL", "IN ('a', 'c')", "IS NOT NULL"],
    "int": ["> 1", "<= 2", "IS NULL", "* 2 > 5"],
    "bool": ["", "= TRUE", "= FALSE", "IS NULL"],
    "entity": ["IS NOT NULL", "<> 1", "IN (1, 2)", "IS NULL"],
}
_AGGREGATIONS = [
    ("sum", "amount", {}),
    ("sum", "quantity", {}),
    ("sum", "amount * 2 - 1", {}),
    ("sum", "COALESCE(amount, 3)", {}),
    ("count", "1", {}),
    ("count", "label", {}),
    ("count_distinct", "label", {}),
    ("count_distinct", "quantity", {}),
    ("average", "amount", {}),
    ("min", "quantity", {}),
    ("max", "amount", {}),
    ("sum_boolean", "flag", {}),
    ("sum_boolean", "quantity > 1", {}),
    ("median", "amount", {}),
    ("percentile", "quantity", {"percentile": 0.25, "use_discrete_percentile": False}),
    ("percentile", "amount", {"percentile": 0.9, "use_discrete_percentile": True}),
]
_EXPRESSIONS = ["a - b", "a + 2 * b", "COALESCE(a, 0) - COALESCE(b, 0)", "COALESCE(a, b)", "a / NULLIF(b, 0)", "a * b"]
_WINDOWS = [(1, "day"), (2, "days"), (7, "day"), (1, "week"), (1, "month"), (2, "months")]


@st.composite
def filters(
    draw: st.DrawFn, items: Sequence[Item], of_metrics: Sequence[tuple[str, str]] = (), times: bool = True
) -> str:
    """A filter over items; `of_metrics` are metrics that may be compared, each with an entity that has it."""
    kind = draw(st.sampled_from(["one", "one", "one", "and", "or", "not"]))
    if of_metrics and draw(st.sampled_from([False, False, False, True])):
        metric, entity = draw(st.sampled_from(of_metrics))
        compared = draw(st.sampled_from(["> 2", "IS NULL", "<= 3", "= 1"]))
        return f"{{{{ Metric('{metric}', group_by=['{entity}']) }}}} {compared}"
    first = draw(_comparison(items, times))
    if kind in ("and", "or"):
        return f"{first} {kind.upper()} {draw(_comparison(items, times))}"
    return f"NOT ({first})" if kind == "not" else first


@st.composite
def _comparison(draw: st.DrawFn, items: Sequence[Item], times: bool) -> str:
    usable = [i for i in items if times or i.kind != "time"]
    if times and draw(st.sampled_from([False, False, True])):
        grain = draw(st.sampled_from(["day", "day", "month", "week"]))
        sign = draw(st.sampled_from([">=", "<", "=", ">"]))
        return f"{{{{ TimeDimension('metric_time', '{grain}') }}}} {sign} '{draw(st.sampled_from(_DATES))}'"
    item = draw(st.sampled_from(usable))
    if item.kind == "time":
        assert item.grain is not None
        grain = draw(st.sampled_from(coarser(item.grain)[:3]))
        compared = draw(
            st.sampled_from([*(f"{sign} '{draw(st.sampled_from(_DATES))}'" for sign in (">=", "<")), "IS NULL"])
        )
        return f"{{{{ {call_of(item, grain)} }}}} {compared}"
    return f"{{{{ {call_of(item)} }}}} {draw(st.sampled_from(_COMPARED[item.kind]))}".rstrip()


def call_of(item: Item, grain: str | None = None) -> str:
    """The item as filters write it: the entities before its last one beside its name."""
    parts = item.name.split("__")
    path, name = (parts[:-1], parts[-1:]) if item.is_entity else (parts[:-2], parts[-2:])
    call = "Entity" if item.is_entity else "TimeDimension" if grain else "Dimension"
    more = [f"'{grain}'"] if grain else []
    more += [f"entity_path={path}"] if path else []
    return f"{call}({', '.join([repr('__'.join(name)), *more])})"


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A whole world."""
    found, tables = draw(models())
    facts = [name for name, model in found.items() if model.is_fact]
    items = {fact: items_of(found, fact) for fact in facts}
    metrics: dict[str, Part] = {}
    simple: dict[str, str] = {}  # the fact of each simple metric
    first = draw(st.integers(0, len(_AGGREGATIONS) - 1))
    for number in range(draw(st.integers(3, 5))):
        fact = draw(st.sampled_from(facts))
        aggregation = _AGGREGATIONS[(first + 5 * number) % len(_AGGREGATIONS)]
        metric = draw(_simple(fact, number, found[fact], items[fact], aggregation))
        metrics[metric["name"]], simple[metric["name"]] = metric, fact
    conversion = draw(_conversion(found, facts, items)) if draw(st.booleans()) else []
    for metric in conversion[:-1]:
        metrics[metric["name"]] = metric
        simple[metric["name"]] = metric["type_params"]["metric_aggregation_params"]["semantic_model"]
    of_facts = {name: {fact} for name, fact in simple.items()}
    for number in range(draw(st.integers(2, 5))):
        kind = draw(st.sampled_from(["cumulative", "offset", "ratio", "derived", "cumulative", "offset"]))
        metric = draw(_made(kind, number, metrics, simple, of_facts, items, found))
        metrics[metric["name"]] = metric
    if conversion:
        metrics[conversion[-1]["name"]] = conversion[-1]
    parts = [_model(model) for model in found.values()]
    manifest = manifests.manifest(parts, list(metrics.values()), relation("days"))
    tables["days"] = Table({"day": "time"}, [(day,) for day in DAYS])
    return World(manifest, tables, found, items)


def _model(model: Model) -> Part:
    made = manifests.model(
        relation(model.name), model.entities, model.dimensions, "happened" if model.is_fact else None
    )
    return made | ({"primary_entity": model.primary} if model.primary else {})


@st.composite
def _simple(
    draw: st.DrawFn, fact: str, number: int, model: Model, items: Sequence[Item], aggregation: tuple[str, str, Part]
) -> Part:
    agg, expr, params = aggregation
    own: Part = {"semantic_model": fact, "agg": agg}
    if params:
        own["agg_params"] = params
    if draw(st.sampled_from([False, False, False, True])):
        own["agg_time_dimension"] = "settled"
    if agg in ("sum", "min", "max") and draw(st.sampled_from([False, False, False, True])):
        entities = [e["name"] for e in model.entities]
        grouped = draw(st.lists(st.sampled_from(entities), max_size=1)) if entities else []
        choice = draw(st.sampled_from(["min", "max"]))
        time = own.get("agg_time_dimension", "happened")
        own["non_additive_dimension"] = {"name": time, "window_choice": choice, "window_groupings": grouped}
    more = draw(st.sampled_from([{}, {}, {}, {"fill_nulls_with": 0}, {"fill_nulls_with": 0, "join_to_timespine": True},
                                 {"join_to_timespine": True}]))  # fmt: skip
    where = draw(filters(items)) if draw(st.sampled_from([False, False, True])) else None
    name = f"{'last' if 'non_additive_dimension' in own else agg}_{number}"
    return manifests.metric(name, "simple", {"metric_aggregation_params": own, "expr": expr, **more}, where)


def used(name: str, where: str | None = None, **more: Any) -> Part:
    """A metric as an input of another one."""
    return {"name": name, **({"filter": {"where_filters": [{"where_sql_template": where}]}} if where else {}), **more}


@st.composite
def _made(
    draw: st.DrawFn,
    kind: str,
    number: int,
    metrics: dict[str, Part],
    simple: dict[str, str],
    of_facts: dict[str, set[str]],
    items: dict[str, list[Item]],
    found: dict[str, Model],
) -> Part:
    """A metric made of others; `of_facts` tells the facts of each, and is told those of the new one."""

    def where(names: Sequence[str]) -> str | None:
        shared = common(items, set().union(*(of_facts[n] for n in names)))
        return draw(filters(shared)) if shared and draw(st.sampled_from([False, False, True])) else None

    def some() -> str:
        return draw(st.sampled_from(list(metrics)))

    name = f"{kind}_{number}"
    if kind == "cumulative":
        additive = [n for n in simple if not n.startswith("last")]
        if not additive:
            return draw(_made("ratio", number, metrics, simple, of_facts, items, found))
        of = draw(st.sampled_from(additive))
        of_facts[name] = of_facts[of]
        count, grain = draw(st.sampled_from(_WINDOWS))
        reach = draw(
            st.sampled_from(
                [{}, {"window": manifests.length(count, grain)}, {"grain_to_date": "month"}, {"grain_to_date": "week"}]
            )
        )
        rarely = draw(st.sampled_from([False, False, False, True]))  # MetricFlow doesn't know such a filter
        reach = dict(reach) | draw(st.sampled_from([{}, {"period_agg": "last"}, {"period_agg": "average"}]))
        own = {"cumulative_type_params": {"metric": used(of, where([of]) if rarely else None), **reach}}
        return manifests.metric(name, "cumulative", own, where([of]))
    if kind == "ratio":
        names = [some(), some()]
        of_facts[name] = set().union(*(of_facts[n] for n in names))
        aliases: list[Part] = draw(st.sampled_from([[{}, {}], [{"alias": "above"}, {"alias": "below"}]]))
        above, below = (used(n, where([n]), **alias) for n, alias in zip(names, aliases, strict=True))
        return manifests.metric(name, "ratio", {"numerator": above, "denominator": below}, where(names))
    names = [some(), some()]
    of_facts[name] = set().union(*(of_facts[n] for n in names))
    inputs = [used(n, where([n]), alias=alias) for n, alias in zip(names, "ab", strict=True)]
    if kind == "offset":
        count, grain = draw(st.sampled_from(_WINDOWS))
        inputs[1] |= draw(
            st.sampled_from(
                [
                    {"offset_window": manifests.length(count, grain)},
                    {"offset_to_grain": "month"},
                    {"offset_to_grain": "week"},
                ]
            )
        )
    expr = draw(st.sampled_from(_EXPRESSIONS))
    return manifests.metric(name, "derived", {"expr": expr, "metrics": inputs}, where(names))


def common(items: dict[str, list[Item]], facts: set[str]) -> list[Item]:
    """What the rows of all facts can be grouped by."""
    first, *others = sorted(facts)
    return [item for item in items[first] if all(item in items[other] for other in others)] or items[first][:0]


@st.composite
def _conversion(
    draw: st.DrawFn, found: dict[str, Model], facts: Sequence[str], items: dict[str, list[Item]]
) -> list[Part]:
    """Two counts and the conversion from one to the other, of two facts with one entity; nothing where none have."""
    choices = [
        (base, done, e["name"])
        for base in facts
        for done in facts
        for e in found[base].entities
        if any(e["name"] == o["name"] for o in found[done].entities)
    ]
    if not choices:
        return []
    base, done, entity = draw(st.sampled_from(choices))

    def where(fact: str) -> str | None:
        return draw(filters(items[fact])) if draw(st.sampled_from([False, False, True])) else None

    more = draw(st.sampled_from([{}, {"fill_nulls_with": 0}, {"fill_nulls_with": 0, "join_to_timespine": True}]))
    of = [
        manifests.metric(
            "based", "simple", {"metric_aggregation_params": {"semantic_model": base, "agg": "count"}, "expr": "1"}
        ),
        manifests.metric(
            "converted",
            "simple",
            {"metric_aggregation_params": {"semantic_model": done, "agg": "count"}, "expr": "1", **more},
        ),
    ]
    own: Part = {
        "base_metric": used("based", where(base)),
        "conversion_metric": used("converted", where(done) if draw(st.sampled_from([False, False, True])) else None),
        "entity": entity,
        "calculation": draw(st.sampled_from(["conversions", "conversion_rate"])),
    }
    length = draw(st.sampled_from([None, (3, "day"), (1, "month")]))
    if length is not None:
        own["window"] = manifests.length(*length)
    if draw(st.sampled_from([False, False, True])):
        own["constant_properties"] = [{"base_property": "label", "conversion_property": "label"}]
    return [*of, manifests.metric("conversion", "conversion", {"conversion_type_params": own})]
