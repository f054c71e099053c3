"""How a registered model can fail in a worker, for reasons that lie with its files or with its own code."""

from __future__ import annotations

from penstock.errors import PenstockError

_LONGEST = 300  # of what a library says: its messages may hold rows


class ModelDoesNotLoad(PenstockError):
    """The files of a logged model are damaged, incomplete or of another version of a library."""


class ModelFailed(PenstockError):
    """A model raised an error for a batch of rows, or gave what its description does not promise."""


class ModelEnded(PenstockError):
    """The process of an isolated model ended while it was asked. No policy of rows covers that: the query fails."""


def said(error: Exception) -> str:
    """What a library says, as part of a message."""
    return f"{type(error).__name__}: {str(error)[:_LONGEST]}"
