"""How fresh the inputs of a training set are: what is promised of each, and a query of what is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.semantic.durations import Duration
from penstock.semantic.knowledge import freshness_of
from penstock.semantic.render import render
from penstock.training_sets.compile import last_known, resolved
from penstock.training_sets.sql import known_dialect
from penstock.training_sets.values import LookUp

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest
    from penstock.training_sets.knowledge import Clock
    from penstock.training_sets.request import TrainingSetRequest


@dataclass(frozen=True)
class Freshness:
    """What the inputs of a training set promise, and how it is measured.

    Args:
        promised: By semantic model, how old the newest known row may be; None where nothing is declared. Timeless
            models have no age and are left out.
        measured: SQL of one row for each of the models: `semantic_model`, and `newest_known`, microseconds since 1970
            (NULL where no row is known). None where all are timeless.
    """

    promised: dict[str, Duration | None]
    measured: str | None


def freshness(manifest: SemanticManifest, request: TrainingSetRequest, dialect: str = "spark") -> Freshness:
    """The freshness of what a training set reads. Errors are those of `compile_training_set`, or of a bad promise."""
    target = known_dialect(dialect)
    resolver, _ = resolved(manifest, request, target)
    clocks: dict[str, Clock] = {}
    for value in resolver.values:
        if not isinstance(value, LookUp):
            clocks.setdefault(value.model, value.clock)
    promised = {name: freshness_of(manifest.model(name)) for name in clocks}
    union: exp.Query | None = None
    for name, clock in clocks.items():
        newest = last_known(resolver, name, clock, target)
        named = exp.alias_(exp.Literal.string(name), "semantic_model")
        select = exp.Select().select(named, exp.alias_(exp.Subquery(this=newest), "newest_known"), copy=False)
        union = select if union is None else exp.union(union, select, distinct=False, copy=False)
    return Freshness(promised, None if union is None else render(union, target))
