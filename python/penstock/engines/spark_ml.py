"""A call of a Spark ML version, as the expression that the analyser puts in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from penstock.scoring.contract import Loaded
from penstock.scoring.live import Live
from penstock.scoring.spark_ml.opened import SPARK_ML, Opened
from penstock.scoring.spark_ml.parts import Asked
from penstock.scoring.spark_ml.plan import Expression

_T = TypeVar("_T")


def scored(jvm: Any, asked: Asked, live: Live, arguments: Mapping[str, Any]) -> Any:
    """What a call becomes.

    Args:
        jvm: That of the session which analyses.
        asked: What the function returns, and its policies.
        live: The version that scores; the version and variant that the result tells are its.
        arguments: An expression for each input, of the input's type.

    Returns:
        An expression of Catalyst over the arguments, of the type of the parts.

    Raises:
        ModelDoesNotLoad: when the version's files are missing, damaged or others.
        InvalidDefinitionError: when the version has no such part.
    """
    from pyspark import SparkContext

    version = _version(live.source, live.digest, SparkContext._active_spark_context.applicationId)
    return version.expression(asked, live).bound(jvm, arguments)


@dataclass(frozen=True)
class _Version:
    """A loaded version, and what calls have asked of it."""

    loaded: Loaded
    known: dict[tuple[Asked, Live], Expression]

    def expression(self, asked: Asked, live: Live) -> Expression:
        found = self.known.get((asked, live))
        if found is None:
            pipeline: Opened = self.loaded.native
            found = _elsewhere(lambda: pipeline.expression(asked, live, self.loaded.description))
            self.known[asked, live] = found
        return found


@lru_cache(maxsize=50)
def _version(source: str, digest: str, _application: str) -> _Version:
    """One for all aliases and functions; it holds objects of the application's JVM."""
    from penstock.scoring.dispatchers import load_live

    return _Version(_elsewhere(lambda: load_live(Live("", 0, SPARK_ML, digest, source))), {})


def _elsewhere(step: Callable[[], _T]) -> _T:
    """Run a step in a thread of its own.

    The calling thread is in the middle of an analysis: its session's settings, the view that it resolves and the place
    in the text that it reads would become part of what is made here for all sessions.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(step).result()
