"""Keras's models and TensorFlow's modules, logged by mlflow.tensorflow or mlflow.keras."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.flavours import tensors
from penstock.scoring.flavours.logged import Logged, Scoring

if TYPE_CHECKING:
    import pyarrow as pa


def open_native(logged: Logged) -> Any:
    """The model or module, without its optimizer, on one thread.

    Raises:
        InvalidDefinitionError: for an estimator of TensorFlow 1.
    """
    import mlflow

    if "keras" in logged.meta.flavors:
        _use_one_thread()
        if logged.meta.flavors["keras"].get("save_exported_model"):
            return mlflow.keras.load_model(str(logged.folder))
        return mlflow.keras.load_model(str(logged.folder), load_model_kwargs={"compile": False})
    kind = logged.meta.flavors["tensorflow"].get("model_type")
    if kind not in {"keras", "tf2-module"}:
        raise InvalidDefinitionError(
            f"a TensorFlow model of type {kind} can not be scored",
            where=logged.source,
            fix="log it as a Keras model or as a tf.Module",
        )
    _use_one_thread()
    only_of_keras = {"keras_model_kwargs": {"compile": False}} if kind == "keras" else {}
    return mlflow.tensorflow.load_model(str(logged.folder), **only_of_keras)


def scoring(native: Any, logged: Logged) -> Scoring:
    """What a model gives, by the signature's outputs: one number a row is `prediction`, a vector an ARRAY, several
    outputs each a field.

    Raises:
        InvalidDefinitionError: when the signature has no outputs, or columns that are no numbers.
    """
    tensors.check_inputs(logged)
    fields = logged.outputs()
    is_keras = hasattr(native, "layers")

    def call(batch: Mapping[str, Any]) -> Any:
        given = dict(batch) if len(batch) > 1 else next(iter(batch.values()))
        # Not Keras's predict(), which starts a loop over batches of its own at each call.
        if is_keras:
            return _as_numpy(native(given, training=False))
        return _as_numpy(native.serve(given) if hasattr(native, "serve") else _of_module(native, given))

    def predict(table: pa.Table, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return tensors.run(tensors.of_table(table, logged), fields, call)

    weights = native.weights if is_keras else getattr(native, "variables", ())
    return Scoring(fields, predict, size=sum(_bytes_of(each) for each in weights))


def _of_module(native: Any, given: Any) -> Any:
    import tensorflow as tf

    return native({k: tf.constant(v) for k, v in given.items()} if isinstance(given, dict) else tf.constant(given))


def _use_one_thread() -> None:
    import tensorflow as tf

    # It refuses once this process has computed something.
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def _bytes_of(weight: Any) -> int:
    import numpy as np

    return int(np.asarray(weight.numpy()).nbytes)


def _as_numpy(made: Any) -> Any:
    import numpy as np

    if isinstance(made, Mapping):
        return {name: _as_numpy(each) for name, each in made.items()}
    if isinstance(made, (tuple, list)):
        return tuple(_as_numpy(each) for each in made)
    return np.asarray(made)
