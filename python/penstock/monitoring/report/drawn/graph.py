"""The lineage as a small graph, from sources above to predictions below."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from markupsafe import Markup

from penstock.monitoring.report.collected import State
from penstock.monitoring.report.drawn.svg import chart, element, mark
from penstock.monitoring.report.figures import ago, clipped
from penstock.monitoring.report.lineage import Lineage, Part

BOX, TALL, ASIDE, DOWN, EDGE = 172.0, 40.0, 188.0, 70.0, 8.0
_LETTERS = 19


def places_of(lineage: Lineage) -> dict[str, tuple[float, float]]:
    """The upper left corner of each node: a layer is a row, in which nodes stand near what they are made from."""
    layers: dict[int, list[Part]] = {}
    for part in lineage.parts:
        layers.setdefault(part.layer, []).append(part)
    widest = max(map(len, layers.values()), default=0)
    above: dict[str, list[str]] = {}
    for start, end in lineage.edges:
        above.setdefault(end, []).append(start)
    places: dict[str, tuple[float, float]] = {}
    for layer, parts in sorted(layers.items()):
        known = {part.id: [places[each][0] for each in above.get(part.id, ()) if each in places] for part in parts}
        aside = {each: sum(xs) / len(xs) if xs else 0.0 for each, xs in known.items()}
        left = EDGE + (widest - len(parts)) * ASIDE / 2
        for at, part in enumerate(sorted(parts, key=lambda part: (aside[part.id], part.name))):
            places[part.id] = (left + at * ASIDE, EDGE + layer * DOWN)
    return places


def lineage_graph(lineage: Lineage, states: Mapping[str, State], now: datetime) -> Markup:
    """Sources above, the model in the middle, what is made with it below; in its own size, so that names are read.

    Args:
        lineage: The graph.
        states: Of the relations.
        now: When the report is made.
    """
    places = places_of(lineage)
    if not places:
        return Markup("")
    parts = []
    for start, end in lineage.edges:
        (x1, y1), (x2, y2) = places[start], places[end]
        x1, y1, x2 = x1 + BOX / 2, y1 + TALL, x2 + BOX / 2
        bend = (y2 - y1) / 2
        line = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
        parts.append(element("path", d=line, class_="edge"))
    for part in lineage.parts:
        x, y = places[part.id]
        state = states.get(part.relation)
        own = "centre" if part.id == lineage.centre else "after" if part.id in lineage.downstream else "before"
        told = f"{part.kind} {part.name}: {state_of(state, now)}"
        box = element("rect", x=x, y=y, width=BOX, height=TALL, rx=7, class_=f"node {own}")
        name = element("text", clipped(part.name, _LETTERS), x=x + 10, y=y + 17, class_=f"name {own}")
        beside = element("text", f"{part.kind} · {_short(state)}", x=x + 10, y=y + 32, class_=f"beside {own}")
        parts.append(mark(told, box, name, beside))
    width = max(x for x, _ in places.values()) + BOX + EDGE
    height = max(y for _, y in places.values()) + TALL + EDGE
    return chart("lineage, from sources to predictions", width, height, *parts, class_="graph", in_own_size=True)


def state_of(state: State | None, now: datetime) -> str:
    """What is known of a relation, in words."""
    if state is None:
        return "no relation"
    if not state.built:
        return "not built"
    if state.version is None:
        return f"{state.relation}, not a Delta table"
    return f"{state.relation}, version {state.version}, written {ago(state.committed_at, now)}"


def _short(state: State | None) -> str:
    if state is None or not state.built:
        return "not built"
    return "no version" if state.version is None else f"version {state.version}"
