"""What a pipeline of Spark ML gives for a row, as columns of the table that it transforms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.scoring.contract import Field
from penstock.scoring.flavours.logged import Logged

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# How a StringIndexer with handleInvalid='keep' calls the class of texts that it has not seen.
_UNKNOWN = "__unknown"


@dataclass(frozen=True)
class Outputs:
    """What a pipeline gives.

    Attributes:
        fields: As in the description of the version.
        columns: The column of the transformed table behind each field.
        classes: The names of a classifier's classes, in the order of its probabilities.
        probability: The column of its vector of probabilities; empty where it has none.
        named: Whether the column of the label is a class's place in `names`.
        names: The texts of the labels, where the pipeline knows them.
    """

    fields: tuple[Field, ...]
    columns: tuple[str, ...]
    classes: tuple[str, ...] = ()
    probability: str = ""
    named: bool = False
    names: tuple[str, ...] = ()


def outputs_of(model: Any, transformed: DataFrame, logged: Logged) -> Outputs:
    """Label and probabilities for a classifier, the prediction of another model, and the signature's outputs of a
    pipeline that predicts nothing.

    Args:
        model: The `PipelineModel`.
        transformed: A table that it has transformed.
        logged: Its files.

    Raises:
        InvalidDefinitionError: when it predicts nothing and was logged without a signature of its outputs.
    """
    from pyspark.ml.classification import ClassificationModel

    stages = list(flat(model))
    last = next((each for each in reversed(stages) if each.hasParam("predictionCol")), None)
    if last is None:
        specs = logged.meta.get_output_schema()
        fields = logged.outputs()
        return Outputs(fields, tuple(str(spec.name) for spec in specs.inputs))
    column = last.getOrDefault("predictionCol")
    if not isinstance(last, ClassificationModel):
        return Outputs((Field("prediction", _type(transformed, column)),), (column,))
    text, names = _label_texts(stages, last, column)
    probability = last.getOrDefault("probabilityCol") if last.hasParam("probabilityCol") else ""
    classes = _classes(names, last.numClasses) if probability else ()
    kind = "STRING" if text or names else _type(transformed, column)
    return Outputs(
        (Field("label", kind),), (text or column,), classes, probability, named=bool(names) and not text, names=names
    )


def flat(model: Any) -> Iterator[Any]:
    """The stages of a pipeline, those of the pipelines in it among them."""
    from pyspark.ml import PipelineModel

    for stage in model.stages:
        yield from flat(stage) if isinstance(stage, PipelineModel) else (stage,)


def _label_texts(stages: list[Any], classifier: Any, prediction: str) -> tuple[str, tuple[str, ...]]:
    """The column in which an IndexToString puts the label's text, and the texts of all labels; empty without them."""
    from pyspark.ml.feature import IndexToString, StringIndexerModel

    text, names = "", ()
    label = classifier.getOrDefault("labelCol")
    for stage in stages:
        if isinstance(stage, StringIndexerModel):
            several = stage.isSet("outputCols")
            made = stage.getOutputCols() if several else [stage.getOutputCol()]
            if label in made:
                unknown = [_UNKNOWN] if stage.getHandleInvalid() == "keep" else []
                names = (*stage.labelsArray[made.index(label)], *unknown)
        elif isinstance(stage, IndexToString) and stage.getInputCol() == prediction:
            text = stage.getOutputCol()
            names = tuple(stage.getLabels() if stage.isSet("labels") else ()) or names
    return text, names


def _classes(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return (*names, *(str(float(place)) for place in range(len(names), count)))[:count]


def _type(transformed: DataFrame, column: str) -> str:
    return str(transformed.schema[column].dataType.simpleString()).upper()
