"""What came of dbt's last invocation: its `run_results.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from penstock.errors import EnvironmentProblem


@dataclass(frozen=True)
class Result:
    """What came of a node.

    Attributes:
        unique_id: dbt's id of it.
        status: `pass`, `warn`, `fail`, `error`, `skipped`; of what is no test `success`, ….
        failures: Of a test, what it counted.
        message: What dbt says of it.
        sql: The statement, compiled.
    """

    unique_id: str
    status: str
    failures: int | None = None
    message: str = ""
    sql: str = ""


@dataclass(frozen=True)
class Run:
    """An invocation of dbt that ran nodes.

    Attributes:
        invocation_id: dbt's id of it.
        at: When it ended.
        results: Of its nodes.
    """

    invocation_id: str
    at: datetime
    results: tuple[Result, ...]


def last_run(target_folder: Path) -> Run | None:
    """The last invocation of dbt that ran nodes; None where there was none.

    Args:
        target_folder: Where dbt puts its artifacts.

    Raises:
        EnvironmentProblem: when the file cannot be read.
    """
    path = target_folder / "run_results.json"
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text())
    except ValueError as error:  # dbt was ended while it wrote
        raise EnvironmentProblem(f"it is no JSON: {error}", where=str(path), fix="dbt test") from error
    metadata = told.get("metadata") or {}
    at = str(metadata.get("generated_at") or datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat())
    results = [
        Result(
            each["unique_id"],
            str(each["status"]),
            each.get("failures"),
            each.get("message") or "",
            each.get("compiled_code") or "",
        )
        for each in told["results"]
    ]
    return Run(str(metadata.get("invocation_id") or ""), datetime.fromisoformat(at), tuple(results))
