"""What is asked of a training set, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.training_sets.keys import Key
from penstock.training_sets.negatives import Negatives
from penstock.training_sets.sampling import Balance, Sample
from penstock.training_sets.shapes import Choice, Shape
from penstock.training_sets.splits import Split

Types = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Spine:
    """The rows to which features are added, each at its own time.

    Args:
        relation: A table's name or a query, in the dialect that is compiled to. It may be read more than once, so it
            must give the same rows each time: a table does, a query with random numbers does not.
        at: The column with the time of each row as which the features are asked.
        entities: For each entity, the column that holds its key; of a key of several columns all of them.
        columns: The columns to keep; all of them when empty.
    """

    relation: str
    at: str
    entities: Mapping[str, Key]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainingSetRequest:
    """A spine and the features to add to it.

    Args:
        spine: The rows to which features are added.
        features: Texts such as `carrier.on_time_rate over 7 days`; see `parse_feature`.
        labels: What is to come true, such as `carrier.cancelled over next 7 days`; see `parse_label`. Rows whose
            labels are not final yet are left out.
        labels_until: ISO text of the moment until which everything is known; by default, for each label, the last
            moment that its fact knows of.
        inclusive: Count what becomes known at the very time of a row; by default it must be known before.
        types: The types of columns by relation and column, as SQL texts. With them sums of integers and decimals are
            kept by running differences; a sum of unknown type is computed from the rows of each window, which is right
            for every type.
            A relation that is named must have all its columns.
        split: The part that each row is in, as a column.
        sample: A share of the spine's rows to keep.
        balance: Classes of rows to keep fewer of.
        negatives: Rows of what did not happen, to be added to those of the spine.
    """

    spine: Spine
    features: tuple[str, ...]
    labels: tuple[str, ...] = ()
    labels_until: str | None = None
    inclusive: bool = False
    types: Types = field(default_factory=dict)
    split: Split | None = None
    sample: Sample | None = None
    balance: Balance | None = None
    negatives: Negatives | None = None


@dataclass(frozen=True)
class CompiledFeature:
    """One column of features.

    Args:
        name: Its name.
        text: Its request.
        shapes: By which shapes of SQL it is computed.
        choices: For its totals, what these were chosen from.
    """

    name: str
    text: str
    shapes: tuple[Shape, ...]
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class CompiledTrainingSet:
    """The SQL of a training set and what it reads.

    Args:
        sql: One statement, without a semicolon.
        rows: SQL of the rows to which features are added: those of the spine whose labels are final, sampled, balanced
            and with negatives, as it is asked for.
        columns: The columns of the answer as far as they are known: those of the spine where the request names them,
            then the features and the labels.
        features: The features, then the labels, in the order of the request.
        semantic_models: Names of the semantic models read.
        node_ids: dbt's ids of the models under them, where known.
        relations: SQL names of the relations read, but for those within a spine that is a query.
        maturity: SQL of one row that counts the spine's rows: `spine_rows`, and those `mature` and `immature`. None
            without labels.
    """

    sql: str
    rows: str
    columns: tuple[str, ...]
    features: tuple[CompiledFeature, ...]
    semantic_models: tuple[str, ...]
    node_ids: tuple[str, ...]
    relations: tuple[str, ...]
    maturity: str | None = None
