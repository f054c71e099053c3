"""The rows of a semantic manifest's models and what is joined to them, in plain Python, whatever the manifest.

Nothing here knows the compiler. Names are written in full: the entities on the way and, last, the element.
"""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import periods
from closed_form import evaluate

Part = Mapping[str, Any]
Row = Mapping[str, Any]
_PARTS = "extract_"
ANYTHING = "anything"  # a key that is the same for all rows


@dataclass(frozen=True)
class Key:
    """Something to group or filter by: a path of entities with the element last, by a grain or a date part."""

    path: tuple[str, ...]
    grain: str | None = None
    part: str | None = None
    of: tuple[str, ...] = ()

    @property
    def is_metric_time(self) -> bool:
        return self.path == ("metric_time",)

    @property
    def column(self) -> str:
        ending = f"{_PARTS}{self.part}" if self.part else self.grain
        return "__".join((*self.path, ending) if ending else self.path)


@dataclass(frozen=True)
class Facts:
    """Rows of one model, seen by one of its time dimensions."""

    model: str
    time: str | None


class Models:
    """The models of a manifest with their rows.

    Args:
        manifest: As dbt writes it.
        tables: The rows of each table, by its alias.
    """

    def __init__(self, manifest: Part, tables: Mapping[str, list[Row]]) -> None:
        self.by_name = {m["name"]: m for m in manifest["semantic_models"]}
        self._tables = tables
        self.keys: dict[tuple[str, str], Key] = {}
        self._by_entity: dict[tuple[str, str], dict[Any, list[Row]]] = {}
        (spine,) = manifest["project_configuration"]["time_spines"]
        self._spine = (spine["node_relation"]["alias"], spine["primary_column"]["name"])

    @cached_property
    def days(self) -> list[dt.datetime]:
        """The moments of the time spine."""
        alias, column = self._spine
        return sorted(row[column] for row in self._tables[alias])

    def periods(self, grain: str) -> list[dt.datetime]:
        """The periods of the time spine by a grain."""
        found = {period for day in self.days if (period := periods.start(grain, day)) is not None}
        return sorted(found)

    def rows(self, model: str) -> list[Row]:
        """The rows of a model's table."""
        return self._tables[self.by_name[model]["node_relation"]["alias"]]

    def dimension(self, model: str, name: str) -> Part | None:
        """A dimension of a model itself."""
        return next((d for d in self.by_name[model]["dimensions"] if d["name"] == name), None)

    def entity(self, model: str, name: str) -> Part | None:
        """An entity of a model itself."""
        return next((e for e in self.by_name[model]["entities"] if e["name"] == name), None)

    def grain(self, model: str, dimension: str) -> str:
        """The grain of a time dimension."""
        found = self.dimension(model, dimension)
        assert found is not None
        return str(found["type_params"]["time_granularity"])

    def moment(self, facts: Facts, row: Row) -> dt.datetime | None:
        """The time of a row, as its column has it."""
        dimension = self.dimension(facts.model, facts.time or "")
        assert dimension is not None, facts
        return self._own(dimension, row)

    def local(self, model: str, path: tuple[str, ...]) -> Part | None:
        """The element, where the path leads nowhere else."""
        if len(path) == 1:
            return self.entity(model, path[0])
        if len(path) == 2 and path[0] in self._prefixes(model):
            return self.dimension(model, path[1]) or self.entity(model, path[1])
        return None

    def is_time(self, facts: Facts, key: Key) -> bool:
        """Whether a key is the time by which the rows are seen, under either of its names."""
        return key.is_metric_time or (key.path[-1] == facts.time and self.local(facts.model, key.path) is not None)

    def target(self, model: str, path: tuple[str, ...]) -> tuple[str, Part] | None:
        """The model and the element at the end of a path; None where it leads nowhere."""
        here = self.local(model, path)
        if here is not None:
            return model, here
        other = self._joined(model, path[0])
        if other is None:
            return None
        if len(path) == 2:
            found = self.dimension(other, path[1]) or self.entity(other, path[1])
            return (other, found) if found is not None else None
        return self._behind(other, path[1:])

    def _behind(self, model: str, path: tuple[str, ...]) -> tuple[str, Part] | None:
        other = self._joined(model, path[0])
        if other is None:
            return None
        if len(path) > 2:
            return self._behind(other, path[1:])
        found = self.dimension(other, path[1]) or self.entity(other, path[1])
        return (other, found) if found is not None else None

    def value(self, facts: Facts, row: Row, key: Key) -> Any:
        """What a row is grouped by under a key."""
        if key.path == (ANYTHING,):
            return True
        if key.is_metric_time:
            return self.of_time(self.moment(facts, row), key)
        model, found = facts.model, row
        path = key.path
        here = self.local(model, path)
        while here is None:
            joined = self._joined(model, path[0])
            assert joined is not None, key
            found, model, path = self._row(facts, row, model, found, joined, path[0]), joined, path[1:]
            if len(path) == 1:
                here = self.dimension(model, path[0]) or self.entity(model, path[0])
        if not found:
            return None
        value = self._own(here, found)
        return self.of_time(value, key) if key.grain or key.part else value

    def at(self, model: str, links: tuple[str, ...]) -> str:
        """The model behind entities."""
        for entity in links:
            joined = self._joined(model, entity)
            assert joined is not None, (model, links)
            model = joined
        return model

    def own(self, model: str, element: str, row: Row) -> Any:
        """What a row says itself, a time as its column has it."""
        found = self.dimension(model, element) or self.entity(model, element)
        assert found is not None
        return self._own(found, row)

    def joined_rows(self, model: str, row: Row | None, other: str, entity: str) -> list[Row]:
        """The rows of another model with the same key, whenever they are valid."""
        if (other, entity) not in self._by_entity:
            theirs = self.entity(other, entity)
            assert theirs is not None
            found = self._by_entity[other, entity] = {}
            for joined in self.rows(other):
                found.setdefault(self._own(theirs, joined), []).append(joined)
        mine = self.entity(model, entity)
        assert mine is not None
        value = self._own(mine, row) if row else None
        return [] if value is None else self._by_entity[other, entity].get(value, [])

    @staticmethod
    def of_time(moment: dt.datetime | None, key: Key) -> Any:
        """A moment by the grain or date part of a key."""
        if key.part:
            return periods.part(key.part, moment)
        assert key.grain is not None
        return periods.start(key.grain, moment)

    @staticmethod
    def _own(element: Part, row: Row) -> Any:
        return evaluate(element["expr"] or element["name"], row.__getitem__)

    def _prefixes(self, model: str) -> Iterator[str]:
        if self.by_name[model].get("primary_entity"):
            yield self.by_name[model]["primary_entity"]
        yield from (e["name"] for e in self.by_name[model]["entities"] if e["type"] != "foreign")

    def _joined(self, model: str, entity: str) -> str | None:
        if self.entity(model, entity) is None:
            return None
        others = [
            name
            for name in self.by_name
            if name != model and (e := self.entity(name, entity)) is not None and e["type"] != "foreign"
        ]
        assert len(others) <= 1, (entity, others)
        return others[0] if others else None

    def _row(self, facts: Facts, fact: Row, model: str, row: Row, other: str, entity: str) -> Row:
        """The row of the other model with the same key, valid at the time of the fact where it keeps history."""
        found = [r for r in self.joined_rows(model, row, other, entity) if self._valid(facts, fact, other, r)]
        assert len(found) <= 1, (other, entity)
        return found[0] if found else {}

    def _valid(self, facts: Facts, fact: Row, model: str, row: Row) -> bool:
        ends = {}
        for dimension in self.by_name[model]["dimensions"]:
            params = (dimension["type_params"] or {}).get("validity_params")
            if params:
                ends["start" if params["is_start"] else "end"] = self._own(dimension, row)
        if not ends:
            return True
        moment = periods.start(self.grain(facts.model, facts.time or ""), self.moment(facts, fact))
        begun, ended = ends["start"], ends["end"]
        return moment is not None and begun is not None and begun <= moment and (ended is None or moment < ended)


def key_of(models: Models, facts: str, text: str) -> Key:
    """The key that a group-by item, or a reference in a filter, names: a dunder name or a call."""
    if (facts, text) not in models.keys:
        models.keys[facts, text] = _key_of(models, facts, text)
    return models.keys[facts, text]


def _key_of(models: Models, facts: str, text: str) -> Key:
    if text.replace("_", "").isalnum():
        path, grain, part = tuple(text.split("__")), None, None
    else:
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        given = [ast.literal_eval(a) for a in call.args]
        named = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
        if call.func.id == "Metric":
            return Key((given[0],), of=tuple(named["group_by"]))
        path = (*named.get("entity_path", ()), *given[0].split("__"))
        part = named.get("date_part_name")
        grain = given[1] if len(given) > 1 else None
    if path[-1] in periods.GRAINS:
        *rest, grain = path
        path = tuple(rest)
    if path in (("metric_time",), (ANYTHING,)):
        return Key(path, grain, part)
    found = models.target(facts, path)
    assert found is not None, (facts, text)
    model, element = found
    if element["type"] == "time" and grain is None and part is None:
        grain = models.grain(model, path[-1])
    return Key(path, grain, part)
