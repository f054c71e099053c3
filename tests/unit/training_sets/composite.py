"""Keys of two columns, and beside them the same keys glued into one column."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from brute_force import World, merged, random_world
from worlds import manifest

from penstock.manifest.model import Entity, Relation, SemanticManifest, SemanticModel

PARTS = ("thing", "place")
# one of each shape
WANTED = (
    "total over 7 seconds",
    "kinds over 7 seconds",
    "weight over 7 seconds",
    "mean to date",
    "events.n",
    "events.label within 9 seconds",
)


def with_pairs() -> SemanticManifest:
    """The definitions; events and pairs of things and places have an entity of two columns."""
    world = manifest()
    events = world.models["events"]
    entities = (*events.entities, Entity("pair", "foreign", "(thing, place)"))
    pairs = SemanticModel(
        "pairs",
        Relation("pairs", "pairs", ""),
        entities=(Entity("pair", "primary", "(one, other)"),),
        dimensions=(),
        meta={"penstock": {"known_at": "always"}},
    )
    return replace(world, models={**world.models, "events": replace(events, entities=entities), "pairs": pairs})


def of_two_columns() -> World:
    """Histories of pairs; a thing has the letter of a place, so that glued without care some would be one."""
    world = merged(random_world(Random(seed), most=18) for seed in range(40))
    for row in (*world.labels, *world.events):
        row["thing"] = None if row["thing"] is None else row["thing"][-1]
        row["place"] = None if row["place"] is None else row["place"][-1]
    return world


def glued(world: World) -> World:
    """The same with one key, which is NULL where a part of it is."""

    def one(row: dict[str, Any]) -> dict[str, Any]:
        parts = [row[part] for part in PARTS]
        return {**row, "thing": None if None in parts else "|".join(parts)}

    return replace(world, labels=[one(r) for r in world.labels], events=[one(r) for r in world.events])
