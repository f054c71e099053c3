"""Reads and writes of arrays for kernels, with the promise that no write touches what is read.

numba tells LLVM nothing about which arrays overlap, so a loop that gathers from one array and writes to another is
never made into vector instructions. `read` and `write` carry LLVM's scoped no-alias metadata
(https://llvm.org/docs/LangRef.html#noalias-and-alias-scope-metadata), which is the missing promise. They check no
bounds.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import errors
from numba.extending import intrinsic


def _scope(builder: Any) -> Any:
    """The list of the one scope that `read` belongs to."""
    module = builder.module
    domain = module.add_metadata(["penstock"])
    return module.add_metadata([module.add_metadata(["penstock reads", domain])])


def _contiguous(array: Any) -> None:
    if array.ndim != 1 or array.layout != "C":
        raise errors.TypingError(f"an array of one dimension without gaps is needed, not {array}")


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index_type: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [context.cast(builder, index, index_type, types.uintp)], inbounds=True)


def _read(typing_context: Any, array: Any, index: Any) -> Any:
    """`array[index]` of a contiguous array of one dimension that the loop never gives to `write`."""
    _contiguous(array)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, array, arguments[0], index, arguments[1])
        value = builder.load(pointer)
        value.set_metadata("alias.scope", _scope(builder))
        return value

    return array.dtype(array, index), generate


def _write(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """`array[index] = value` of a contiguous array of one dimension that the loop never gives to `read`."""
    _contiguous(array)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, array, arguments[0], index, arguments[1])
        stored = builder.store(context.cast(builder, arguments[2], value, array.dtype), pointer)
        stored.set_metadata("noalias", _scope(builder))
        return context.get_dummy_value()

    return types.none(array, index, value), generate


# numba's types do not say that a call leaves the context out.
read: Any = intrinsic(_read)
write: Any = intrinsic(_write)
