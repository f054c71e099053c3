"""The SQL of an incremental model that scores a table: of its rows, those that are not stored as they would be now.

Each row is stored with a hash of its inputs and with the version that scored it. A later run scores the rows whose hash
or version is another, and those that are new.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.errors import InvalidRequestError
from penstock.scoring.contract import Description, Input
from penstock.scoring.declared import Function
from penstock.scoring.functions import literal, quoted
from penstock.scoring.returns import VERSION

# What each row has beside its key and its score.
_ADDED = ("row_hash", "scored_by", "source", "source_version", "scored_at")
# What of a declaration says which version scores, and that is compared by itself, or is for people.
_NOT_OF_A_SCORE = frozenset({"name", "alias", "as_of", "description"})
# Types that XXHASH64 takes and in which nothing is nested: in an array it would pass over NULLs and lengths.
_FLAT = frozenset({"BOOLEAN", "INT", "BIGINT", "FLOAT", "DOUBLE", "STRING", "BINARY", "TIMESTAMP", "DATE"})
_JSON = "MAP('timestampFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSS')"  # by default it cuts microseconds off


@dataclass(frozen=True)
class Source:
    """The table whose rows are scored.

    Attributes:
        relation: Its name, as SQL text.
        columns: The names of its columns.
        version: The Delta version that is read; None where it has none.
    """

    relation: str
    columns: tuple[str, ...]
    version: int | None


@dataclass(frozen=True)
class Scorer:
    """A declared function, and what it scores by now.

    Attributes:
        function: As declared.
        description: Of the version that its alias points to.
        version: The number of that version.
        shadow: The number of the version under its shadow, if it has one.
    """

    function: Function
    description: Description
    version: int
    shadow: int | None = None


def scored_sql(source: Source, key: Sequence[str], scorer: Scorer, *, built: str | None) -> str:
    """The query of the rows to score, with their scores.

    Its columns are the key, each part of the function by its name, `row_hash`, `scored_by` (the function), `source` and
    `source_version` (the table that was read), and `scored_at`.

    Args:
        source: The table whose rows are scored.
        key: The columns that tell its rows apart; none is NULL.
        scorer: The function.
        built: The table that an earlier run stored, as SQL text; all rows are scored when None.

    Raises:
        InvalidRequestError: when the function does not tell the version of each row, a canary draws it, or a column of
            the key has the name of another column of the result.
    """
    function = scorer.function
    parts = function.parts(scorer.description)
    _check(function, parts, key)
    keys = [quoted(each) for each in key]
    pinned = "" if source.version is None else f" VERSION AS OF {source.version}"
    stored = [f"held.{each} <=> new.{each}" for each in keys]
    stored += ["held.row_hash = new.__row_hash", f"held.{quoted(VERSION)} = {scorer.version}"]
    unstored = "" if built is None else f"\n    LEFT ANTI JOIN {built} AS held ON {' AND '.join(stored)}"
    columns = [
        *keys,
        *(f"score.{quoted(part)} AS {quoted(part)}" for part in parts),
        "__row_hash AS row_hash",
        f"{literal(function.name)} AS scored_by",
        f"{literal(source.relation)} AS source",
        f"CAST({'NULL' if source.version is None else source.version} AS BIGINT) AS source_version",
        "CURRENT_TIMESTAMP() AS scored_at",
    ]
    listed = ",\n  ".join(columns)
    return (
        f"SELECT\n  {listed}\nFROM (\n"
        f"  SELECT {', '.join(keys)}, __row_hash, predict({literal(function.name)}, changed.*) AS score\n  FROM (\n"
        f"    SELECT new.* FROM (\n      SELECT *, {row_hash(scorer, source.columns)} AS __row_hash\n"
        f"      FROM {source.relation}{pinned}\n    ) AS new{unstored}\n  ) AS changed\n)"
    )


def row_hash(scorer: Scorer, columns: Sequence[str]) -> str:
    """The hash of a row, as SQL: of the function's inputs in the types that it takes, and of how it is declared.

    0.0 and -0.0 are one value, and so are all NaN.

    Args:
        scorer: The function.
        columns: Of the table; an input without a column is NULL.
    """
    function = scorer.function
    declared = {key: value for key, value in function.as_json().items() if key not in _NOT_OF_A_SCORE}
    declared |= {"returns": function.parts(scorer.description), "shadow": scorer.shadow}
    names = {each.lower(): each for each in columns}
    given = [_hashed(each, names.get(each.name.lower())) for each in scorer.description.inputs]
    return f"XXHASH64({', '.join([literal(json.dumps(declared, sort_keys=True)), *given])})"


def _hashed(each: Input, column: str | None) -> str:
    """XXHASH64 passes over a NULL as if it were not there, so each input stands behind whether it is one."""
    value = f"CAST({'NULL' if column is None else quoted(column)} AS {each.type})"
    return f"{value} IS NULL, {value if each.type in _FLAT else f'TO_JSON({value}, {_JSON})'}"


def _check(function: Function, parts: Sequence[str], key: Sequence[str]) -> None:
    if VERSION not in parts or len(parts) == 1:
        raise InvalidRequestError(
            "an incremental model keeps the version that scored each row, and the function does not tell it",
            where=function.where,
            fix=f"declare it with returns: [{', '.join(part for part in parts if part != VERSION) or '…'}, {VERSION}]",
        )
    if function.canary is not None:
        raise InvalidRequestError(
            "an incremental model compares its rows with one live version, and a canary has two",
            where=function.where,
            fix="declare another function of the model, without a canary",
        )
    taken = {each.lower() for each in (*parts, *_ADDED)}
    for each in key:
        if each.lower() in taken:
            raise InvalidRequestError(
                f"column '{each}' of the key has the name of what scoring adds",
                where=function.where,
                fix="rename it in the table that is scored",
            )
