"""What a user can do wrong, kept apart from bugs.

Every error a user may see is a `PenstockError`: one message that says what is wrong, where, which names come near, and
how to mend it. Anything else that escapes is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Self

_LONGEST = 400  # of what was given: the start tells which it is


class PenstockError(Exception):
    """An error with a message written for the person who caused it.

    Args:
        what: What is wrong, one sentence without a full stop at its end.
        where: The file, metric, column or argument in which it was found.
        near: Names that the user may have meant, best first.
        fix: What to do about it, one sentence.
    """

    def __init__(self, what: str, *, where: str = "", near: Iterable[str] = (), fix: str = "") -> None:
        self.what = what
        self.where = where
        self.near = tuple(near)
        self.fix = fix
        super().__init__(self._message())

    def _message(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {_short(self.where)}")
        if self.near:
            lines.append(f"  did you mean: {', '.join(self.near)}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The error whose message is `text`, as another process wrote it.

        Example:
            >>> PenstockError.from_text("no such thing\\n  did you mean: a, b\\n  fix: look again").near
            ('a', 'b')
        """
        told = {"what": "", "where": "", "did you mean": "", "fix": ""}
        part = "what"
        for line in text.splitlines():
            label, found, rest = line.strip().partition(": ")
            if found and label in told:
                part, told[label] = label, rest
            else:
                told[part] += ("\n" if told[part] else "") + line
        near = told["did you mean"]
        return cls(told["what"], where=told["where"], near=near.split(", ") if near else (), fix=told["fix"])


class UnknownNameError(PenstockError, KeyError):
    """A metric, dimension, entity, model or column that is not there."""

    __str__ = Exception.__str__  # KeyError would print the repr of the message

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], *, where: str = "", fix: str = "") -> UnknownNameError:
        """Build the error for a `kind` of thing called `name`, with the nearest of the `known` names."""
        return cls(f"unknown {kind} '{_short(name)}'", where=where, near=nearest(name, known), fix=fix)


class InvalidRequestError(PenstockError, ValueError):
    """A request that names real things in a way that has no answer."""


class InvalidDefinitionError(PenstockError, ValueError):
    """A definition in the project (metric, semantic model, feature) that contradicts itself."""


class EnvironmentProblem(PenstockError):
    """Something outside the project is missing or broken: Java, a jar, a profile, a folder."""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def nearest(name: str, known: Iterable[str], most: int = 5) -> tuple[str, ...]:
    """The `known` names that come nearest to `name`, best first; all of them when they are few and none comes near."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=most, cutoff=0.5)
    return tuple(close or (names if len(names) <= most else ()))
