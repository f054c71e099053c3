"""A call of a Spark ML version, as the expression that the analyser puts in its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from penstock.engines.builders import Builder, text_in
from penstock.errors import InvalidRequestError
from penstock.scoring.contract import Loaded
from penstock.scoring.live import Live
from penstock.scoring.spark_ml.body import SCORE_IN_PLAN
from penstock.scoring.spark_ml.opened import SPARK_ML, Opened
from penstock.scoring.spark_ml.parts import Asked
from penstock.scoring.spark_ml.plan import Expression

_T = TypeVar("_T")


class SparkMl(Builder):
    """The body of a function whose version is a pipeline of Spark ML."""

    name = SCORE_IN_PLAN
    usage = f"{SCORE_IN_PLAN}(asked, live, input, …) - Scores a row; call its function in the schema ml instead."

    def expression(self, arguments: list[Any]) -> Any:
        asked, live = (text_in(each) for each in arguments[:2]) if len(arguments) > 1 else (None, None)
        if asked is None or live is None:
            raise InvalidRequestError(
                f"{SCORE_IN_PLAN}() is no function to call", where=SCORE_IN_PLAN, fix="predict(…)"
            )
        told = json.loads(asked)
        names = told.pop("inputs")
        call = Asked(**{**told, "parts": tuple(told["parts"])})
        return scored(self.java.jvm, call, Live.parse(live), dict(zip(names, arguments[2:], strict=True)))


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
