"""torch's modules, and what `torch.export` made of them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.flavours import tensors
from penstock.scoring.flavours.logged import Logged, Scoring

if TYPE_CHECKING:
    import pyarrow as pa


def open_native(logged: Logged) -> Any:
    """The module on the processor, in evaluation, on one thread."""
    import mlflow
    import torch

    torch.set_num_threads(1)
    # As MLflow loads it: a whole module is pickled, which torch's default refuses.
    return mlflow.pytorch.load_model(str(logged.folder), map_location="cpu", weights_only=False)


def scoring(native: Any, logged: Logged) -> Scoring:
    """What a module gives, by the signature's outputs: one number a row is `prediction`, a vector an ARRAY, several
    outputs each a field. Parameters of the signature go to `forward`.

    Raises:
        InvalidDefinitionError: when the signature has no outputs, or names tensors that `forward` does not take.
    """
    tensors.check_inputs(logged)
    fields = logged.outputs()
    named = logged.takes_tensors and len(logged.inputs) > 1
    if named:
        _check_names(native, logged)

    def call(batch: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
        import torch

        given = {name: torch.from_numpy(_writable(array)) for name, array in batch.items()}
        with torch.inference_mode():
            made = native(**given, **params) if named else native(next(iter(given.values())), **params)
        return _as_numpy(made)

    def predict(table: pa.Table, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return tensors.run(tensors.of_table(table, logged), fields, lambda batch: call(batch, params))

    weights = [*native.parameters(), *native.buffers()]
    size = sum(each.numel() * each.element_size() for each in weights)
    return Scoring(fields, predict, takes_params=True, size=size)


def _check_names(native: Any, logged: Logged) -> None:
    taken = inspect.signature(native.forward).parameters
    missing = [name for name in logged.names if name not in taken]
    if missing and not any(each.kind is each.VAR_KEYWORD for each in taken.values()):
        raise InvalidDefinitionError(
            f"the signature has the tensors {', '.join(missing)}, which forward({', '.join(taken)}) does not take",
            where=logged.source,
            fix="log the model with a signature whose tensors have the names of forward's parameters",
        )


def _writable(array: Any) -> Any:
    # A view of Arrow's memory is read-only, and torch warns of it.
    return array if array.flags.writeable else array.copy()


def _as_numpy(made: Any) -> Any:
    if isinstance(made, Mapping):
        return {name: _as_numpy(each) for name, each in made.items()}
    if isinstance(made, (tuple, list)):
        return tuple(_as_numpy(each) for each in made)
    return made.detach().cpu().numpy()
