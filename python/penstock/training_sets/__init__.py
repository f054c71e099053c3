"""A spine request to point-in-time correct SQL: every row's features as they were known at its own time.

Pure: no I/O, no engine, no clock.
"""

from penstock.semantic.durations import Duration
from penstock.training_sets.compile import compile_training_set
from penstock.training_sets.definition import asked_of, request_of
from penstock.training_sets.features import ColumnFeature, MetricFeature, parse_feature
from penstock.training_sets.freshness import Freshness, freshness
from penstock.training_sets.kinds import types_of_contracts
from penstock.training_sets.labels import Label, parse_label
from penstock.training_sets.negatives import Candidates, Negatives
from penstock.training_sets.predict import Part, part_of, predictive_request
from penstock.training_sets.predictive import PredictiveQuery, parse_predictive
from penstock.training_sets.refresh import compile_refresh
from penstock.training_sets.request import CompiledFeature, CompiledTrainingSet, Spine, TrainingSetRequest
from penstock.training_sets.sampling import Balance, Sample
from penstock.training_sets.splits import EntitySplit, HashSplit, TimeSplit

__all__ = [
    "Balance",
    "Candidates",
    "ColumnFeature",
    "CompiledFeature",
    "CompiledTrainingSet",
    "Duration",
    "EntitySplit",
    "Freshness",
    "HashSplit",
    "Label",
    "MetricFeature",
    "Negatives",
    "Part",
    "PredictiveQuery",
    "Sample",
    "Spine",
    "TimeSplit",
    "TrainingSetRequest",
    "asked_of",
    "compile_refresh",
    "compile_training_set",
    "freshness",
    "parse_feature",
    "parse_label",
    "parse_predictive",
    "part_of",
    "predictive_request",
    "request_of",
    "types_of_contracts",
]
