"""Pipelines of Spark ML: they run in the JVM, on a session, which a worker has not."""

from __future__ import annotations

from typing import Any, NoReturn

from penstock.errors import InvalidDefinitionError
from penstock.scoring.flavours.logged import Logged, Scoring


def open_native(logged: Logged) -> NoReturn:
    """Raise InvalidDefinitionError: no worker can open one."""
    raise InvalidDefinitionError(
        "a Spark ML pipeline can not be scored row by row in a worker",
        where=logged.source,
        fix="register it through Penstock, which converts the stages that have an equal, or log it as ONNX",
    )


def scoring(native: Any, logged: Logged) -> Scoring:
    """Never reached: `open_native` raises."""
    raise AssertionError(f"{native} of {logged.source}")
