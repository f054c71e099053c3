"""Random worlds: a semantic manifest with the rows of its tables, as hypothesis draws them.

Facts have keys of dimensions in chains, now and then of one dimension twice or of another fact; NULL keys, keys that
lead nowhere, empty tables and moments at the ends of weeks and months are common.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from periods import GRAINS

from benchmarks import manifests

Part = dict[str, Any]
SCHEMA = "world"
FIRST, LAST = dt.datetime(2023, 12, 25), dt.datetime(2024, 3, 10)
DAYS = [FIRST + dt.timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
_TIMES = [
    dt.datetime.fromisoformat(text)
    for text in (
        "2024-01-01", "2024-01-01 09:30", "2023-12-31 23:59", "2024-01-02", "2024-01-03 12:00", "2024-01-07",
        "2024-01-08 08:00", "2024-01-31 23:00", "2024-02-01", "2024-02-28", "2024-02-29 10:00", "2024-03-01",
        "2023-12-26", "2024-03-20",
    )
]  # fmt: skip
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "double": st.sampled_from([1.0, 2.5, 0.0, 4.0, -1.25, 10.0, 2.5, None]),
    "int": st.sampled_from([1, 2, 3, 0, 5, 2, None]),
    "text": st.sampled_from(["a", "b", "c", "a", None]),
    "bool": st.sampled_from([True, False, None]),
    "time": st.sampled_from([*_TIMES, None]),
}
_KEYS = st.sampled_from([1, 2, 1, 3, 4, 9, None])


@dataclass(frozen=True)
class Item:
    """What rows can be grouped by: its full name, the kind of its values, and the grain of a time."""

    name: str
    kind: str
    grain: str | None = None

    @property
    def is_entity(self) -> bool:
        return self.kind == "entity"


@dataclass
class Table:
    """Columns with their kinds, and rows."""

    columns: dict[str, str]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[Part]:
        """The rows as dicts."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass
class Model:
    """A semantic model as it is drawn: `joins` tells the model behind each foreign key."""

    name: str
    entities: list[Part]
    dimensions: list[Part]
    kinds: dict[str, str]
    joins: dict[str, str] = field(default_factory=dict)
    primary: str | None = None
    own: str = ""  # the entity before its own dimensions
    is_fact: bool = False


@dataclass(repr=False)
class World:
    """A manifest, its tables by alias, and what each fact's rows can be grouped by."""

    manifest: Part
    tables: dict[str, Table]
    models: dict[str, Model]
    items: dict[str, list[Item]]

    @property
    def metrics(self) -> dict[str, Part]:
        return {m["name"]: m for m in self.manifest["metrics"]}

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis shows of a failing test."""
        printer.text(repr(self))

    def __repr__(self) -> str:
        lines = ["a world"]
        for model in self.models.values():
            lines.append(f"  {model.name}: {[(e['name'], e['type'], e['expr']) for e in model.entities]}")
            lines.append(f"    {[(d['name'], d['expr'], _grain(d)) for d in model.dimensions]}")
            lines += [f"    {row}" for row in self.tables[model.name].records()]
        for name, metric in self.metrics.items():
            lines.append(f"  {name}: {metric['type_params']} {metric['filter'] or ''}")
        return "\n".join(lines)


def relation(name: str) -> Part:
    """A table of the world."""
    return manifests.relation(SCHEMA, name)


def time_dimension(name: str, expr: str, grain: str, **more: Any) -> Part:
    """A time dimension of any grain."""
    return {"name": name, "type": "time", "expr": expr, "type_params": {"time_granularity": grain, **more}}


@st.composite
def models(draw: st.DrawFn) -> tuple[dict[str, Model], dict[str, Table]]:
    """The models of a world and their tables."""
    found: dict[str, Model] = {}
    tables: dict[str, Table] = {}
    dimensions = [f"d{i}" for i in range(draw(st.integers(1, 4)))]
    with_history = draw(st.sampled_from([None, dimensions[-1]]))
    for i, name in reversed(list(enumerate(dimensions))):
        if name == with_history:
            found[name], tables[name] = draw(_history(name))
        else:
            found[name], tables[name] = draw(_dimension(name, found, dimensions[i + 1 :]))
    for i in range(draw(st.integers(1, 3))):
        found[f"f{i}"], tables[f"f{i}"] = draw(_fact(f"f{i}", found))
    return dict(reversed(found.items())), tables


@st.composite
def _dimension(draw: st.DrawFn, name: str, known: dict[str, Model], behind: list[str]) -> tuple[Model, Table]:
    columns = {"id": "int", "code": "int", "label": "text", "flag": "bool", "size": "int", "since": "time"}
    entities = [manifests.entity(name, "primary", "id")]
    other = draw(st.sampled_from([None, "id", "code"]))
    if other is not None:  # a second name, under which facts may have another key of the same model
        entities.append(manifests.entity(f"{name}_too", "unique", other))
    model = Model(
        name,
        entities,
        [
            manifests.category("label"),
            manifests.category("flag"),
            manifests.category("size", draw(st.sampled_from([None, "size + 1", "COALESCE(size, 7)"]))),
            time_dimension("since", "since", draw(st.sampled_from(["day", "day", "month", "week"]))),
        ],
        {"label": "text", "flag": "bool", "size": "int", "since": "time"},
        own=name,
    )
    if behind and draw(st.booleans()):
        target = draw(st.sampled_from(behind))
        columns[f"{target}_id"] = "key"
        model.entities.append(manifests.entity(target, "foreign", f"{target}_id"))
        model.joins[target] = target
    rest = [
        _KEYS if kind == "key" else _VALUES[kind] for column, kind in columns.items() if column not in ("id", "code")
    ]
    rows = draw(st.lists(st.tuples(*rest), max_size=4))
    ids = [1, 2, 3, 4]
    if rows and draw(st.sampled_from([False, False, True])):
        ids[len(rows) - 1] = None  # type: ignore[call-overload]
    codes = draw(st.permutations([2, 1, 5, None]))
    table = Table(columns, [(n, code, *row) for n, code, row in zip(ids, codes, rows, strict=False)])
    return model, _plain(table)


@st.composite
def _history(draw: st.DrawFn, name: str) -> tuple[Model, Table]:
    """A model whose rows are valid for a time only, one after the other for each key."""
    columns = {"id": "int", "label": "text", "valid_from": "time", "valid_to": "time"}
    rows = []
    for key in (1, 2, 3):
        ends = sorted(draw(st.lists(st.sampled_from([*_TIMES[:12]]), max_size=3, unique_by=lambda t: t.date())))
        ends = [t.replace(hour=0, minute=0) for t in ends]
        open_end = draw(st.booleans())
        for begin, end in zip(ends, [*ends[1:], None], strict=False):
            if end is not None or open_end:
                rows.append((key, draw(_VALUES["text"]), begin, end))
    model = Model(
        name,
        [manifests.entity(name, "natural", "id")],
        [
            time_dimension("valid_from", "valid_from", "day", validity_params={"is_start": True, "is_end": False}),
            time_dimension("valid_to", "valid_to", "day", validity_params={"is_start": False, "is_end": True}),
            manifests.category("label"),
        ],
        {"label": "text"},
        primary=f"{name}_row",
        own=f"{name}_row",
    )
    return model, Table(columns, rows)


@st.composite
def _fact(draw: st.DrawFn, name: str, known: dict[str, Model]) -> tuple[Model, Table]:
    columns = {"id": "int", "amount": "double", "quantity": "int", "label": "text", "flag": "bool"}
    columns |= {"happened": "time", "settled": "time"}
    model = Model(
        name,
        [],
        [
            manifests.category("label"),
            manifests.category("flag", draw(st.sampled_from([None, None, "quantity > 1"]))),
            manifests.category("quantity"),
            time_dimension("happened", "happened", draw(st.sampled_from(["day", "day", "day", "day", "month"]))),
            time_dimension("settled", "settled", draw(st.sampled_from(["day", "day", "month"]))),
        ],
        {"label": "text", "flag": "bool", "quantity": "int", "happened": "time", "settled": "time"},
        own=name,
        is_fact=True,
    )
    if draw(st.sampled_from([True, True, False])):
        model.entities.append(manifests.entity(name, "primary", "id"))
    else:
        model.primary = name
    targets = [n for n, m in known.items() if not m.is_fact or m.primary is None]
    history = [n for n in targets if known[n].entities[0]["type"] == "natural" and draw(st.integers(0, 2))]
    for target in dict.fromkeys([*history, *draw(st.lists(st.sampled_from(targets), max_size=3, unique=True))]):
        names = [e["name"] for e in known[target].entities if e["type"] in ("primary", "unique", "natural")]
        for entity in draw(st.sampled_from([names[:1], names])):
            columns[f"{entity}_id"] = "key"
            model.entities.append(manifests.entity(entity, "foreign", f"{entity}_id"))
            model.joins[entity] = target
    rest = [_KEYS if kind == "key" else _VALUES[kind] for column, kind in columns.items() if column != "id"]
    rows = draw(st.lists(st.tuples(*rest), max_size=15))
    return model, _plain(Table(columns, [(n + 1, *row) for n, row in enumerate(rows)]))


def _plain(table: Table) -> Table:
    return Table({name: "int" if kind == "key" else kind for name, kind in table.columns.items()}, table.rows)


def items_of(found: dict[str, Model], name: str, hops: int = 3) -> list[Item]:
    """What the rows of a model can be grouped by, under full names."""
    items = _elements(found[name], (), own=True)
    level: list[tuple[tuple[str, ...], str]] = [((), name)]
    for _ in range(hops):
        level = [
            ((*links, entity), target)
            for links, at in level
            for entity, target in found[at].joins.items()
            if entity not in links and target != name
        ]
        for links, at in level:
            items += _elements(found[at], links, own=False)
    return items


def _elements(model: Model, links: tuple[str, ...], *, own: bool) -> list[Item]:
    before = (model.own,) if own else links
    items = [
        Item("__".join((*before, d["name"])), model.kinds[d["name"]], _grain(d))
        for d in model.dimensions
        if d["name"] in model.kinds
    ]
    foreign = [e["name"] for e in model.entities if own or e["type"] == "foreign"]
    return items + [Item("__".join((*links, e)), "entity") for e in foreign if e not in links]


def _grain(dimension: Part) -> str | None:
    return dimension["type_params"]["time_granularity"] if dimension["type"] == "time" else None


def coarser(grain: str) -> list[str]:
    """The grains by which a time of a grain can be grouped; weeks are no parts of months, so that they come apart."""
    return [g for g in GRAINS[GRAINS.index(grain) :] if not (grain == "week" and g in ("month", "quarter"))]
