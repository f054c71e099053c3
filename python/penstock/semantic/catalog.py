"""Where things are: from a fact, which items can be reached over which entities, without a fan-out."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from penstock.errors import InvalidDefinitionError, InvalidRequestError
from penstock.manifest.model import SemanticManifest, SemanticModel, TimeSpine
from penstock.semantic.names import Item, coarsest, finer_or_same, finest, is_standard

# Longer paths than this are not looked for; a project that has one would name it by entity_path.
_MOST_HOPS = 6
_MOST_CHOICES = 5  # as many ways as an error names


@dataclass(frozen=True)
class Hop:
    """One join: over `entity` to `model`, which may have `many` rows for one."""

    entity: str
    model: str
    many: bool = False


@dataclass(frozen=True)
class Place:
    """Where an element is found: behind these joins, in this model."""

    hops: tuple[Hop, ...]
    model: str

    @property
    def many(self) -> bool:
        """Whether there may be several values for one row of the fact."""
        return bool(self.hops) and self.hops[-1].many


class Catalog:
    """Look-ups over one manifest, worked out when first asked for."""

    def __init__(self, manifest: SemanticManifest) -> None:
        self.manifest = manifest
        self._found: dict[tuple[str, tuple[str, ...], str], tuple[Place, ...]] = {}
        self._hops: dict[str, dict[str, list[Hop]]] = {}
        self._reachable: dict[tuple[str, tuple[str, ...], int], tuple[Item, ...]] = {}

    @cached_property
    def spines(self) -> dict[str, TimeSpine]:
        """The time spines by grain."""
        return {spine.grain: spine for spine in self.manifest.time_spines}

    @cached_property
    def custom_grains(self) -> dict[str, tuple[TimeSpine, str]]:
        """The spine and the column of each custom grain."""
        return {name: (spine, column) for spine in self.manifest.time_spines for name, column in spine.custom_grains}

    @cached_property
    def _keyed_by(self) -> dict[str, list[SemanticModel]]:
        """By entity, the models in which it tells at most one row (one row a moment, where it is `natural`)."""
        found: dict[str, list[SemanticModel]] = {}
        for model in self.manifest.models.values():
            for entity in model.entities:
                if entity.type != "foreign":
                    found.setdefault(entity.name, []).append(model)
        return found

    @cached_property
    def has_validity(self) -> bool:
        """Whether any model holds rows that are valid for a time only."""
        return any(d.validity for m in self.manifest.models.values() for d in m.dimensions)

    def prefixes(self, model: SemanticModel) -> tuple[str, ...]:
        """The entities under whose names a model's own dimensions are known."""
        own = (model.primary_entity,) if model.primary_entity else ()
        return (*own, *(e.name for e in model.entities if e.type != "foreign" and e.name not in own))

    def joinable(self, model: SemanticModel) -> Iterator[Hop]:
        """The joins from a model that keep the number of its rows."""
        for hops in self._joinable_by_entity(model).values():
            yield from hops

    def _joinable_by_entity(self, model: SemanticModel) -> dict[str, list[Hop]]:
        if model.name not in self._hops:
            found: dict[str, list[Hop]] = {}
            for hop in self._joins_from(model):
                found.setdefault(hop.entity, []).append(hop)
            self._hops[model.name] = found
        return self._hops[model.name]

    def _joins_from(self, model: SemanticModel) -> Iterator[Hop]:
        for entity in model.entities:
            for other in self._keyed_by.get(entity.name, ()):
                both_natural = entity.type == other.entity_by_name[entity.name].type == "natural"
                if other is not model and not both_natural:
                    if validity(model) and validity(other):
                        continue  # two validity ranges would have to be intersected
                    yield Hop(entity.name, other.name)

    def place(self, fact: str, links: tuple[str, ...], element: str) -> Place | None:
        """Where the element behind exactly these links is, seen from the fact; None where it is not."""
        return next(iter(self._ways(fact, links, element)), None)

    def _ways(self, fact: str, links: tuple[str, ...], element: str) -> tuple[Place, ...]:
        """The first few places behind exactly these links, in the order in which they are preferred."""
        key = (fact, links, element)
        if key not in self._found:
            self._found[key] = tuple(islice(self._find(fact, links, element, local=True), _MOST_CHOICES))
        return self._found[key]

    def is_many(self, fact: str, item: Item) -> bool:
        """Whether there may be several values of an item for one row of the fact."""
        if item.kind in ("metric_time", "metric"):
            return False
        place = self.place(fact, item.links, item.element)
        return place is not None and place.many

    def _find(self, fact: str, links: tuple[str, ...], element: str, *, local: bool) -> Iterator[Place]:
        """Every place behind these links; the name of a model may follow the entity over which it is joined."""
        model = self.manifest.model(fact)
        if not links:
            if self._holds(model, element, entity_only=local):
                yield Place((), fact)
            return
        if local and len(links) == 1 and links[0] in self.prefixes(model) and self._holds(model, element):
            yield Place((), fact)
            return  # what a model says itself comes before what others say
        for hop in self._joinable_by_entity(model).get(links[0], ()):
            ends = (links[2:], links[1:]) if links[1:2] == (hop.model,) else (links[1:],)
            for rest in (r for end in ends for r in self._find(hop.model, end, element, local=False)):
                if all(h.model not in (hop.model, fact) for h in rest.hops):
                    yield Place((hop, *rest.hops), rest.model)
        yield from self._behind_many(model, links, element)
        if local and len(links) > 1 and links[0] in self.prefixes(model):
            # the model's own entity, named though it is here
            yield from self._find(fact, links[1:], element, local=False)

    def _behind_many(self, model: SemanticModel, links: tuple[str, ...], element: str) -> Iterator[Place]:
        """What a model with many rows for one entity says itself; only where a name has that model in it."""
        if len(links) != 2 or links[0] not in model.entity_by_name or links[1] == model.name:
            return
        other = self.manifest.models.get(links[1])
        entity = other.entity_by_name.get(links[0]) if other is not None else None
        if other is not None and entity is not None and entity.type == "foreign" and self._holds(other, element):
            yield Place((Hop(links[0], other.name, many=True),), other.name)

    def _check_one_way(self, fact: str, item: Item) -> None:
        """Refuse an item that is found over one and the same links in several places."""
        places = self._ways(fact, item.links, item.element)
        if len(places) > 1:
            raise InvalidRequestError(
                f"'{item.column}' may be reached over several joins",
                where=f"from {fact}",
                fix="name the models on the way: " + " or ".join(_with_models(p, item.element) for p in places),
            )

    def _holds(self, model: SemanticModel, element: str, *, entity_only: bool = False) -> bool:
        return element in model.entity_by_name or (not entity_only and element in model.dimension_by_name)

    def items(self, fact: str, path: tuple[str, ...], hops: int) -> tuple[Item, ...]:
        """The items behind that many links whose name ends in `path`, without a grain."""
        key = (fact, path, hops)
        if key not in self._reachable:
            self._reachable[key] = tuple(self._search(fact, path, hops))
        return self._reachable[key]

    def _search(self, fact: str, path: tuple[str, ...], depth: int) -> Iterator[Item]:
        *wanted, element = path
        if len(wanted) > depth:
            return
        seen = set()
        for links in self._link_paths(fact, depth, tuple(wanted)):
            if links in seen:
                continue
            seen.add(links)
            place = self.place(fact, links, element)
            if place is not None:
                yield self._item(place, links, element)

    def _link_paths(self, fact: str, depth: int, ending: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        model = self.manifest.model(fact)
        if depth == 0:
            yield ()
            return
        if depth == 1:
            yield from ((p,) for p in self.prefixes(model) if not ending or (p,) == ending)
        if len(ending) == depth:
            yield ending
            return
        frontier: set[tuple[tuple[str, ...], str]] = {((), fact)}
        for _ in range(depth):
            frontier = {
                ((*links, hop.entity), hop.model)
                for links, at in frontier
                for hop in self.joinable(self.manifest.model(at))
                if hop.entity not in links and hop.model != fact
            }
        yield from sorted({links for links, _ in frontier if not ending or links[-len(ending) :] == ending})

    def _item(self, place: Place, links: tuple[str, ...], element: str) -> Item:
        model = self.manifest.model(place.model)
        dimension = model.dimension_by_name.get(element)
        if dimension is None:
            return Item("entity", links, element)
        return Item(dimension.type, links, element)

    def reachable(self, fact: str) -> Iterator[Item]:
        """Every item of a fact under its full name, without a grain, the nearest first.

        What is reached over several joins is left out, for a request has to name the models on the way. A key over
        which a model is joined is told by the entity before it, so that it isn't an item a second time.
        """
        model = self.manifest.model(fact)
        yield from (Item("entity", (), entity.name) for entity in model.entities)
        own = self.prefixes(model)[:1]
        if own:
            yield from (self._item(Place((), fact), own, d.name) for d in model.dimensions)
        seen = {(own, d.name) for d in model.dimensions}
        level: list[tuple[tuple[str, ...], str]] = [((), fact)]
        for _ in range(_MOST_HOPS):
            level = [
                ((*links, hop.entity), hop.model)
                for links, at in level
                for hop in self.joinable(self.manifest.model(at))
                if hop.entity not in links and hop.model != fact
            ]
            for links, at in level:
                joined = self.manifest.model(at)
                key = joined.entity_by_name[links[-1]].expr
                keys = (e.name for e in joined.entities if e.expr != key)
                for element in (*keys, *(d.name for d in joined.dimensions)):
                    place = self.place(fact, links, element)
                    if place is not None and (links, element) not in seen:
                        seen.add((links, element))
                        item = self._item(place, links, element)
                        if len(self._ways(fact, links, element)) == 1:
                            yield item

    def resolve(self, facts: tuple[str, ...], path: tuple[str, ...]) -> Item | None:
        """The one item whose name ends in `path` that all facts can reach over the fewest entities.

        Raises:
            InvalidRequestError: Several are as near.
        """
        for hops in range(max(len(path) - 1, 0), _MOST_HOPS + 1):
            first, *others = (self.items(fact, path, hops) for fact in facts)
            common = [item for item in first if all(item in other for other in others)]
            if len(common) > 1:
                raise InvalidRequestError(
                    f"'{'__'.join(path)}' may be any of several things",
                    where=f"from {', '.join(facts)}",
                    fix="name it in full: " + " or ".join(item.column for item in common),
                )
            if common:
                for fact in facts:
                    self._check_one_way(fact, common[0])
                return common[0]
        return None

    def behind_many_rows(self, facts: tuple[str, ...], path: tuple[str, ...]) -> str | None:
        """The model that has the element, and could be joined if it didn't have many rows for one entity."""
        if len(path) < 2 or not any(path[-2] in self.manifest.model(f).entity_by_name for f in facts):
            return None
        for model in self.manifest.models.values():
            entity = model.entity_by_name.get(path[-2])
            if entity is not None and entity.type == "foreign" and path[-1] in model.dimension_by_name:
                return model.name
        return None

    def names(self, facts: tuple[str, ...]) -> list[str]:
        """The names that all facts know within two hops, for near misses."""
        sets = []
        for fact in facts:
            found = {e.name for e in self.manifest.model(fact).entities} | {"metric_time"}
            frontier: set[tuple[tuple[str, ...], str]] = {
                ((p,), fact) for p in self.prefixes(self.manifest.model(fact))
            }
            level: set[tuple[tuple[str, ...], str]] = {((), fact)}
            for _ in range(2):
                level = {
                    ((*links, hop.entity), hop.model)
                    for links, at in level
                    for hop in self.joinable(self.manifest.model(at))
                    if hop.entity not in links and hop.model != fact
                }
                frontier |= level
            for links, at in frontier:
                found |= {"__".join((*links, d.name)) for d in self.manifest.model(at).dimensions}
            sets.append(found)
        return sorted(set.intersection(*sets)) if sets else []

    def grain_of(self, facts: tuple[str, ...], item: Item) -> str:
        """The grain of a time dimension as its model declares it; the coarsest where the facts differ."""
        grains = []
        for fact in facts:
            place = self.place(fact, item.links, item.element)
            if place is not None:
                grains.append(self.manifest.model(place.model).dimension_by_name[item.element].grain or "day")
        return coarsest(*grains)

    def spine_for(self, grain: str, *, where: str) -> TimeSpine:
        """The coarsest time spine from which moments of `grain` can be had.

        Raises:
            InvalidDefinitionError: None is fine enough.
        """
        if not is_standard(grain):
            return self.custom_grains[grain][0]
        fit = [g for g in self.spines if finer_or_same(g, grain)]
        if not fit:
            raise InvalidDefinitionError(
                f"there is no time spine of {grain}s or finer",
                where=where,
                fix=f"add a model with `time_spine:` whose column has `granularity: {grain}`",
            )
        return self.spines[coarsest(*fit)]

    def standard(self, grain: str) -> str:
        """The grain itself, or for a custom grain that of its time spine."""
        return grain if is_standard(grain) else self.custom_grains[grain][0].grain

    def finest_of(self, grains: tuple[str, ...]) -> str:
        """The finest of grains, custom ones counted as their spine's."""
        return finest(*(self.standard(g) for g in grains))


def _with_models(place: Place, element: str) -> str:
    return "__".join((*(name for hop in place.hops for name in (hop.entity, hop.model)), element))


def validity(model: SemanticModel) -> tuple[str, str] | None:
    """The SQL of the two ends of a row's validity, where the model's rows are valid for a time only."""
    ends = {d.validity: d.expr for d in model.dimensions if d.validity}
    return (ends["start"], ends["end"]) if "start" in ends and "end" in ends else None


_CATALOGS: dict[int, tuple[weakref.ref[SemanticManifest], Catalog]] = {}


def catalog_of(manifest: SemanticManifest) -> Catalog:
    """The catalog of a manifest, kept as long as the manifest lives."""
    known = _CATALOGS.get(id(manifest))
    if known is not None and known[0]() is manifest:
        return known[1]
    key = id(manifest)
    catalog = Catalog(manifest)
    # the catalog holds the manifest, so that only the newest few may be kept
    while len(_CATALOGS) >= 16:
        _CATALOGS.pop(next(iter(_CATALOGS)))
    _CATALOGS[key] = (weakref.ref(manifest), catalog)
    return catalog
