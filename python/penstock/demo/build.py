"""`dbt build` of the demo, in this process, skipped where nothing has changed since the last one."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.dbt_runs import run_dbt
from penstock.home import home


@dataclass(frozen=True)
class Build:
    """What one `dbt build` did: the command, and how many nodes of each type ended how."""

    command: str
    outcomes: Counter[tuple[str, str]]
    seconds: float


def build(
    *selection: str,
    on_node: Callable[[Any], None] = lambda node: None,
    on_start: Callable[[Any], None] = lambda node: None,
) -> Build:
    """Run plain `dbt build` with this selection.

    Args:
        selection: Arguments after `dbt build`.
        on_node: Called with dbt's node information whenever a node is finished.
        on_start: Called with it whenever a node begins.

    Raises:
        BuildFailed: when a node fails.
    """
    result = run_dbt("build", *selection, on_node=on_node, on_start=on_start)
    return Build(
        " ".join(("dbt build", *selection)),
        Counter((each.node.resource_type, str(each.status)) for each in result),
        result.elapsed_time,
    )


def changed_selection() -> tuple[str, ...]:
    """The selection that builds what has changed since `remember_build`: everything when that is not known."""
    if not (_state() / "manifest.json").exists():
        return ()
    return ("--select", "state:modified+", "--state", str(_state()))


def remember_build(target: Path) -> None:
    """Keep the manifest of a build that succeeded."""
    folder = _state()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(target / "manifest.json", folder)


def _state() -> Path:
    """One folder a state of Penstock's own code, for a change in the compiler changes SQL under unchanged models."""
    package = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted((*package.glob("penstock/**/*.py"), *package.glob("dbt_penstock/**/*.py"))):
        if path.parent.name not in {"demo", "cli"}:  # these show what a build made, and make nothing
            digest.update(path.read_bytes())
    return home() / "last_build" / digest.hexdigest()[:16]
