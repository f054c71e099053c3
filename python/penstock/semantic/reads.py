"""What a query turns out to read."""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.manifest.model import Relation, SemanticModel, TimeSpine


@dataclass
class Reads:
    """What a query turns out to read, gathered while it is built."""

    models: dict[str, None] = field(default_factory=dict)
    relations: dict[str, None] = field(default_factory=dict)
    nodes: dict[str, None] = field(default_factory=dict)
    paths: dict[str, None] = field(default_factory=dict)

    def model(self, model: SemanticModel) -> None:
        self.models[model.name] = None
        self._relation(model.relation, model.node_id)

    def spine(self, spine: TimeSpine) -> None:
        self._relation(spine.relation, spine.node_id)

    def _relation(self, relation: Relation, node_id: str | None) -> None:
        self.relations[relation.name] = None
        if node_id:
            self.nodes[node_id] = None
