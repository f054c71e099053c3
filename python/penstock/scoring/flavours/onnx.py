"""ONNX graphs, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Field
from penstock.scoring.flavours import columns, describe, results
from penstock.scoring.flavours.logged import Logged, Scoring

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

# ONNX's types of elements as NumPy's.
_DTYPES = {
    "float": "float32", "double": "float64", "float16": "float16", "int64": "int64", "int32": "int32",
    "int16": "int16", "int8": "int8", "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
    "bool": "bool", "string": "object",
}  # fmt: skip
_SQL = {
    "float": "FLOAT", "double": "DOUBLE", "float16": "FLOAT", "int64": "BIGINT", "int32": "INT", "int16": "INT",
    "int8": "INT", "uint8": "INT", "uint16": "INT", "uint32": "BIGINT", "uint64": "BIGINT", "bool": "BOOLEAN",
    "string": "STRING",
}  # fmt: skip


def open_native(logged: Logged) -> Any:
    """A session on one thread of the processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(_file(logged)), sess_options=options, providers=["CPUExecutionProvider"])


def scoring(native: Any, logged: Logged) -> Scoring:
    """What a graph gives. A label followed by a map or matrix of probabilities is a classifier, if the graph names the
    classes; else one output is `prediction`, and each of several is a field of its name.

    Raises:
        InvalidDefinitionError: when the inputs of the signature are not those of the graph, or an output is of a type
            that SQL has not.
    """
    outputs = native.get_outputs()
    names = [each.name for each in outputs]
    feed = _Feed(native, logged)
    classes = _classes(logged) if _is_classifier(outputs) else []
    if classes:
        label = Field("label", _SQL[_element(outputs[0].type)])

        def classify(table: pa.Table) -> dict[str, Any]:
            given, probabilities = native.run(names, feed.of(table))
            return {"label": _flat(given), results.PROBABILITIES: _matrix(probabilities, classes)}

        return Scoring((label,), lambda table, _: classify(table), classes=tuple(str(each) for each in classes))
    fields = _fields(outputs, logged)

    def predict(table: pa.Table) -> dict[str, Any]:
        given = dict(zip(names, native.run(names, feed.of(table)), strict=True))
        if len(fields) == 1:
            return results.by_field(given[names[0]], fields)
        return {each.name: _flat(given[each.name]) if "<" not in each.type else given[each.name] for each in fields}

    return Scoring(fields, lambda table, _: predict(table))


def _flat(values: Any) -> np.ndarray[Any, Any]:
    """An output of one value a row, which may have a second dimension of 1."""
    import numpy as np

    array = np.asarray(values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _file(logged: Logged) -> Path:
    return logged.folder / str(logged.meta.flavors["onnx"]["data"])


def _element(kind: str) -> str:
    return kind[len("tensor(") : -1] if kind.startswith("tensor(") else ""


class _Feed:
    """From a batch to the inputs of a graph."""

    def __init__(self, native: Any, logged: Logged) -> None:
        self._logged = logged
        self._inputs = native.get_inputs()
        graph = [each.name for each in self._inputs]
        for each in self._inputs:
            if _element(each.type) not in _DTYPES:
                raise InvalidDefinitionError(
                    f"input {each.name} of the graph is a {each.type}, which SQL can not give", where=logged.source
                )
        # One input takes all columns side by side, if it is not itself one of them.
        self._one = len(graph) == 1 and (not logged.takes_tensors or len(logged.inputs) == 1)
        if not self._one and sorted(graph) != sorted(logged.names):
            raise InvalidDefinitionError(
                f"the signature has the inputs {', '.join(logged.names)}, the graph {', '.join(graph)}",
                where=logged.source,
                fix="log the model with a signature of the graph's inputs by their names",
            )

    def of(self, table: pa.Table) -> dict[str, Any]:
        """The inputs of the graph by name."""
        if self._one and not self._logged.takes_tensors:
            only = self._inputs[0]
            return {only.name: self._side_by_side(table, _DTYPES[_element(only.type)], len(only.shape))}
        names = self._logged.names
        place = {each.name: 0 if self._one else names.index(each.name) for each in self._inputs}
        return {each.name: self._one_input(table, place[each.name], each) for each in self._inputs}

    def _one_input(self, table: pa.Table, number: int, each: Any) -> Any:
        dtype = _DTYPES[_element(each.type)]
        given = self._logged.inputs[number]
        column = table.column(number)
        if self._logged.takes_tensors:
            spec = self._logged.meta.get_input_schema().inputs[number]
            shape = describe.row_shape(spec, where=self._logged.source)
        else:
            # Converters make one input a column, of shape [rows, 1].
            shape = tuple(each.shape[1:])
        if not shape or "<" in given.type:
            return columns.tensor(column, given, shape, dtype)
        return columns.vector(column, given.name, dtype).reshape(-1, 1)

    def _side_by_side(self, table: pa.Table, dtype: str, dimensions: int) -> Any:
        import numpy as np

        if dtype != "object":
            made = columns.matrix(table, dtype)
        else:
            made = np.column_stack([columns.vector(c, n, dtype) for n, c in _named(table)]).astype(object)
        return made if dimensions != 1 else made[:, 0]


def _named(table: pa.Table) -> list[tuple[str, Any]]:
    return list(zip(table.column_names, table.columns, strict=True))


def _is_classifier(outputs: list[Any]) -> bool:
    if len(outputs) != 2 or _element(outputs[0].type) not in {"int64", "int32", "string", "bool"}:
        return False
    label, second = outputs
    rows_only = len(label.shape) == 1 or label.shape[1:] == [1]
    maps = second.type.startswith("seq(map(")
    return rows_only and (maps or (_element(second.type) in {"float", "double"} and len(second.shape) == 2))


def _classes(logged: Logged) -> list[Any]:
    """The classes that the graph names in its last node with such an attribute; none if it names them nowhere."""
    import onnx

    graph = onnx.load(str(_file(logged)), load_external_data=False).graph
    for node in reversed(graph.node):
        for attribute in node.attribute:
            if attribute.name in {"classlabels_strings", "classlabels_int64s", "classlabels_ints"}:
                values = onnx.helper.get_attribute_value(attribute)
                if values:
                    return [each.decode() if isinstance(each, bytes) else int(each) for each in values]
    return []


def _matrix(probabilities: Any, classes: list[Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    if isinstance(probabilities, list):
        return np.array([[row[each] for each in classes] for row in probabilities], dtype="float64")
    return np.asarray(probabilities, dtype="float64")


def _fields(outputs: list[Any], logged: Logged) -> tuple[Field, ...]:
    found = []
    declared: Mapping[str, str] = {}
    if logged.declares_outputs and len(outputs) == len(logged.outputs()):
        names = ["prediction"] if len(outputs) == 1 else [each.name for each in outputs]
        declared = dict(zip(names, (each.type for each in logged.outputs()), strict=True))
    for each in outputs:
        name = "prediction" if len(outputs) == 1 else each.name
        element = _SQL.get(_element(each.type))
        if element is None:
            raise InvalidDefinitionError(
                f"output {each.name} of the graph is a {each.type}, which SQL has not",
                where=logged.source,
                fix="export the model without a ZipMap, or with a label before it",
            )
        if len(each.shape) < 2 or each.shape[1:] == [1] or _is_scalar(declared.get(name, "<"), each.shape):
            found.append(Field(name, "DOUBLE" if element == "FLOAT" else element))
        else:
            found.append(Field(name, f"ARRAY<{element}>"))
    return tuple(found)


def _is_scalar(declared: str, shape: list[Any]) -> bool:
    """Whether the signature says that there is one value a row where the graph leaves the width open."""
    return "<" not in declared and len(shape) == 2 and not isinstance(shape[1], int)
