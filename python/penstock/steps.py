"""How a long step is told to whoever wants to show it, without a word on how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Doing(Protocol):
    """Called with the words for a step, and used as a context around it."""

    def __call__(self, step: str, how_far: Callable[[], str] = ...) -> AbstractContextManager[None]:
        """The context of one step; `how_far` may be called at any time in it, from another thread."""


@contextmanager
def silently(step: str, how_far: Callable[[], str] = str) -> Iterator[None]:
    """Steps that nobody sees."""
    yield
