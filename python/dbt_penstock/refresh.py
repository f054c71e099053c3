"""An incremental training set is computed anew only where a change of its inputs can reach.

Its table says from which versions it was made. What became of these since is in Delta's change data feed, and that says
which rows of the spine can have other features now. Whenever that does not tell everything, the set is built whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from dbt_penstock.tables import rows_of
from penstock.semantic.as_of import pinned
from penstock.semantic.context import relation_key
from penstock.training_sets import TrainingSetRequest, compile_refresh
from penstock.training_sets.record import Record
from penstock.training_sets.refresh import gone

_REMOVED = ("delete", "update_preimage")


class WholeBuild(Exception):
    """Why a set can't be refreshed and has to be built whole."""


@dataclass(frozen=True)
class Refresh:
    """What is to be merged into the built table: the SQL, and how many changed rows of which inputs it comes of."""

    sql: str
    changed: Mapping[str, int]


def plan(
    model: Any, adapter: Any, definitions: Any, request: TrainingSetRequest, before: Record | None, now: Record
) -> Refresh:
    """The refresh of a built set.

    Args:
        model: dbt's node.
        adapter: dbt's adapter, with a connection for this thread.
        definitions: The definitions that the request is compiled with.
        request: The training set.
        before: What the built table was made from.
        now: What it would be made from.

    Raises:
        WholeBuild: when more has changed than rows of its inputs, or that is not told.
    """
    if before is None:
        raise WholeBuild("its table does not say what it was made from")
    for part in ("definitions", "request", "session", "penstock"):
        if _comparable(getattr(before, part)) != _comparable(getattr(now, part)):
            raise WholeBuild(f"its {part} changed")
    if request.balance is not None or request.negatives is not None:
        raise WholeBuild("which rows are balanced or drawn depends on all of them")
    given = model.config.get("unique_key")
    key = [given] if isinstance(given, str) else list(given or ())
    changes, changed = _changes(adapter, before, now)
    spine = next((n for n in changes if relation_key(n) == relation_key(request.spine.relation)), None)
    if spine is not None:
        counted = rows_of(adapter, pinned(gone(request.spine.relation, key, changes[spine], "spark"), now.inputs))
        if counted[0]["gone"]:
            raise WholeBuild(f"{counted[0]['gone']} rows left the spine")
    if request.labels and request.labels_until is None and any(_removes(adapter, query) for query in changes.values()):
        raise WholeBuild("rows were removed, so labels may not be final any more")
    sql = compile_refresh(definitions, request, "spark", built=model.relation_name, unique_key=key, changes=changes).sql
    return Refresh(pinned(sql, now.inputs), changed)


def _comparable(part: Any) -> Any:
    return {**part, "spine": None} if isinstance(part, Mapping) and "spine" in part else part


def _changes(adapter: Any, before: Record, now: Record) -> tuple[dict[str, str], dict[str, int]]:
    """For each input that has changed a query of its changed rows, and how many they are."""
    changes: dict[str, str] = {}
    changed: dict[str, int] = {}
    if before.inputs.keys() != now.inputs.keys():
        raise WholeBuild("it reads other tables")
    for relation, version in now.inputs.items():
        former = before.inputs[relation]
        if former is None or version is None or version < former:
            raise WholeBuild(f"{relation} has no versions, or others than before")
        if version == former:
            continue
        query = f"SELECT * FROM table_changes('{relation}', {former + 1}, {version})"
        try:
            count = int(rows_of(adapter, f"SELECT count(*) AS n FROM ({query})")[0]["n"])
        except DbtRuntimeError as error:
            raise WholeBuild(f"the changes of {relation} are not told (delta.enableChangeDataFeed)") from error
        if count:
            changes[relation], changed[relation] = query, count
    return changes, changed


def _removes(adapter: Any, query: str) -> bool:
    kinds = {row["_change_type"] for row in rows_of(adapter, f"SELECT DISTINCT _change_type FROM ({query})")}
    return not kinds.isdisjoint(_REMOVED)
