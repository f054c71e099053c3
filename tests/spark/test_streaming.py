"""Streams that score: each row once and rightly over a kill, and by which version when the champion moves.

The streams are those that docs/scoring.md prints.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from places import SHORT_LIVED, make_place

SCRIPT = Path(__file__).with_name("streaming.py")
STREAMED, BY_BATCH = "flights_streamed", "flights_by_batch"
ROWS = 600


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = make_place(tmp_path_factory.mktemp("streams")).with_variables(SHORT_LIVED)
    killed = place.run(sys.executable, str(SCRIPT), "start")
    assert killed.returncode == -9, killed.stderr
    resumed = place.run(sys.executable, str(SCRIPT), "resume")
    assert resumed.returncode == 0, resumed.stderr
    told = json.loads(resumed.stdout.splitlines()[-1])
    return {**told, "killed": json.loads((place.folder / "at_kill.json").read_text())}


@pytest.mark.parametrize("name", [STREAMED, BY_BATCH])
def test_it_is_killed_in_the_midst(outcomes: dict[str, Any], name: str) -> None:
    assert 0 < outcomes["killed"][name] < ROWS


@pytest.mark.parametrize("name", [STREAMED, BY_BATCH])
def test_each_row_is_scored_once_and_rightly(outcomes: dict[str, Any], name: str) -> None:
    assert outcomes["resumed"][name] == {"rows": ROWS, "flights": ROWS, "wrong": 0, "versions": [1]}


@pytest.mark.parametrize(
    ("title", "name", "version"),
    [
        ("moved", STREAMED, 1),
        ("moved", BY_BATCH, 2),
        ("restarted", STREAMED, 2),
        ("restarted", BY_BATCH, 2),
    ],
)
def test_which_version_scores_when_the_champion_moves(
    outcomes: dict[str, Any], title: str, name: str, version: int
) -> None:
    told = outcomes[title][name]
    assert (told["rows"], told["wrong"], told["versions"]) == (10, 0, [version])
