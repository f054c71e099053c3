"""What may be asked together with some metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from penstock.manifest.model import SemanticManifest
from penstock.semantic.catalog import Catalog, catalog_of
from penstock.semantic.names import METRIC_TIME, Item
from penstock.semantic.resolve import default_grain, facts_of


@dataclass(frozen=True)
class Listed:
    """Something to group or filter by.

    Args:
        name: As a request names it.
        kind: `categorical`, `time` or `entity`.
        grain: The finest grain of a time.
        model: The semantic model that it is a column of; empty for metric time.
        description: What the project says of it.
    """

    name: str
    kind: str
    grain: str | None
    model: str
    description: str


def dimensions_for(manifest: SemanticManifest, metrics: Iterable[str] = ()) -> tuple[Listed, ...]:
    """The dimensions and entities that all of the metrics have; without metrics, each model's own.

    Raises:
        UnknownNameError: There is no such metric.
    """
    catalog = catalog_of(manifest)
    metrics = tuple(name.lower() for name in metrics)
    if not metrics:
        own = [item for name in manifest.models for item in catalog.reachable(name) if _is_own(catalog, name, item)]
        return tuple(_listed(catalog, _home(catalog, item), item) for item in dict.fromkeys(own))
    facts = tuple(dict.fromkeys(fact for metric in metrics for fact in facts_of(catalog, metric)))
    time = Listed(
        METRIC_TIME, "time", default_grain(catalog, metrics), "", "The time by which each metric is aggregated."
    )
    first, *others = (dict.fromkeys(catalog.reachable(fact)) for fact in facts)
    common = [item for item in first if all(item in other for other in others)]
    return (time, *(_listed(catalog, facts[0], item) for item in common))


def _is_own(catalog: Catalog, model: str, item: Item) -> bool:
    place = catalog.place(model, item.links, item.element)
    return item.kind != "entity" and place is not None and not place.hops


def _home(catalog: Catalog, item: Item) -> str:
    return next(name for name in catalog.manifest.models if _is_own(catalog, name, item))


def _listed(catalog: Catalog, fact: str, item: Item) -> Listed:
    place = catalog.place(fact, item.links, item.element)
    assert place is not None
    model = catalog.manifest.models[place.model]
    dimension = None if item.kind == "entity" else model.dimension_by_name[item.element]
    grain = (dimension.grain or "day") if dimension is not None and item.kind == "time" else None
    return Listed(item.column, item.kind, grain, model.name, dimension.description if dimension is not None else "")
