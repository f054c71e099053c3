"""How a training set is answered: what each feature is computed by, and what is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.errors import PenstockError
from penstock.semantic.knowledge import Knowledge, knowledge_of
from penstock.training_sets.compile import compile_training_set
from penstock.training_sets.features import ColumnFeature, parse_feature
from penstock.training_sets.keys import Key
from penstock.training_sets.labels import parse_label
from penstock.training_sets.record import metrics_under

if TYPE_CHECKING:
    from penstock.manifest.model import Metric, SemanticManifest, SemanticModel
    from penstock.training_sets.request import CompiledFeature, CompiledTrainingSet, TrainingSetRequest
    from penstock.training_sets.shapes import Shape

_WHAT: Mapping[Shape, str] = {
    "lifetimes": "what enters is added and what leaves taken back, exactly: one pass, however long the window",
    "differences": "rows are known so long after their event: one running total, read at two instants, one pass",
    "running": "nothing leaves a window to date: one pass",
    "rows": "from the rows of each window, as what can't be taken back exactly has to be: "
    "doubles, unknown types, minimum, maximum, percentiles",
    "latest": "the newest row so far: one pass",
    "attribute": "timeless: a join by its key",
}


@dataclass(frozen=True)
class ExplainedFeature:
    """One feature: its text, and by what shapes it is computed, each with what else there was."""

    name: str
    text: str
    shapes: Mapping[str, str]


@dataclass(frozen=True)
class ExplainedInput:
    """A semantic model that is read: its relation, and when its rows are known."""

    semantic_model: str
    relation: str
    known: str


@dataclass(frozen=True)
class Explanation:
    """How a training set is answered.

    Args:
        spine: The spine's relation.
        at: Its column of times.
        entities: For each entity, the spine's column with its key.
        features: In the order of the request, labels last.
        inputs: What is read beside the spine.
        shapes: What each shape is that a feature is computed by.
        query: The compiled request.
    """

    spine: str
    at: str
    entities: Mapping[str, Key]
    features: tuple[ExplainedFeature, ...]
    inputs: tuple[ExplainedInput, ...]
    shapes: Mapping[str, str]
    query: CompiledTrainingSet


def explain(manifest: SemanticManifest, request: TrainingSetRequest, dialect: str = "spark") -> Explanation:
    """How a request is answered. Arguments and errors as for `compile_training_set`."""
    query = compile_training_set(manifest, request, dialect)
    asked = [*map(parse_feature, request.features), *map(parse_label, request.labels)]
    names = [part.metric for part in asked if not isinstance(part, ColumnFeature)]
    metrics = metrics_under(manifest, names)
    models = [manifest.model(name) for name in query.semantic_models]
    return Explanation(
        spine=request.spine.relation,
        at=request.spine.at,
        entities=dict(request.spine.entities),
        features=tuple(ExplainedFeature(f.name, f.text, _choices(f)) for f in query.features),
        inputs=tuple(ExplainedInput(m.name, m.relation.name, _known(m, metrics)) for m in models),
        shapes={shape: _WHAT[shape] for shape in dict.fromkeys(s for f in query.features for s in f.shapes)},
        query=query,
    )


def _choices(feature: CompiledFeature) -> dict[str, str]:
    """By shape, what it costs and what else there was; nothing where there was no choice."""
    found: dict[str, list[str]] = {shape: [] for shape in feature.shapes}
    for choice in feature.choices:
        found[choice.shape].append(str(choice))
    return {shape: " / ".join(choices) for shape, choices in found.items()}


def _known(model: SemanticModel, metrics: list[Metric]) -> str:
    """When rows of a model are known, by itself and to the metrics that say so themselves."""
    found: dict[str, list[str]] = {}
    for metric in metrics:
        if metric.aggregation is not None and metric.aggregation.semantic_model == model.name:
            found.setdefault(_in_words(knowledge_of(model, metric)), []).append(metric.name)
    try:
        own = _in_words(knowledge_of(model))
    except PenstockError:  # only its metrics say so
        own = ""
    others = [f"{text} for {', '.join(names)}" for text, names in found.items() if text != own]
    return "; ".join(filter(None, (own, *others)))


def _in_words(knowledge: Knowledge) -> str:
    if knowledge.always:
        return "always"
    if knowledge.known_at is not None:
        return f"at {knowledge.known_at.sql('spark')}"
    return f"{knowledge.delay / 1_000_000:g} s after the event" if knowledge.delay else "at the event"
