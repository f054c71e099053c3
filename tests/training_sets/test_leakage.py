"""Training sets that leak, and two that don't, with the tests for leakage on each: a leak is found by those that can.

`harbour` is built once by dbt in a process of its own, with the checkout as its package. All its numbers are
hashes, so that nothing foretells anything but by leakage.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.places import ROOT, SHORT_LIVED, Place, outside

CONSUMER = Path(__file__).parent / "harbour"
ALL = {"no_leakage", "point_in_time_sql", "no_telltale_feature"}

# which tests go red on which set; all others on it are green
FOUND = {
    "by_macro": set(),
    "by_hand": set(),
    "by_event_time": {"no_leakage"},
    "at_the_instant": {"no_leakage"},
    "label_in_disguise": {"no_telltale_feature"},
    "todays_owner": {"no_leakage", "point_in_time_sql"},
    "moves_with_time": {"point_in_time_sql"},
    "whole_partition": {"no_leakage", "point_in_time_sql"},
    "wrong_side": {"no_leakage", "no_future_correlation"},
}


@dataclass(frozen=True)
class Built:
    """The consumer after `dbt build`: for each set and test, how many rows it found."""

    place: Place
    failures: dict[tuple[str, str], int]
    statuses: dict[str, str]
    messages: dict[str, str]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("harbour")
    shutil.copytree(CONSUMER, folder, dirs_exist_ok=True)
    profile = (ROOT / "profiles.example.yml").read_text()
    (folder / "profiles.yml").write_text(re.sub(r"^penstock:", "harbour:", profile, flags=re.M))
    home = {"PENSTOCK_HOME": str(folder / "home"), "PENSTOCK_PACKAGE": str(ROOT), "PENSTOCK_DRIVER_MEMORY": "1g"}
    place = Place(folder, {**outside(), **home, **SHORT_LIVED})
    deps = place.dbt("deps")
    assert deps.returncode == 0, deps.stdout + deps.stderr
    done = place.dbt("build", "--no-use-colors")
    results = _json(folder, "run_results.json")["results"]
    assert done.returncode == 1, done.stdout + done.stderr  # leaks are errors
    nodes = _json(folder, "manifest.json")["nodes"]
    failures = {}
    for result in results:
        test = nodes[result["unique_id"]].get("test_metadata")
        if test is not None and _name(nodes[result["unique_id"]]["attached_node"]) != "undeclared":
            assert result["status"] in ("pass", "fail"), (result["unique_id"], result["message"])
            failures[_name(nodes[result["unique_id"]]["attached_node"]), test["name"]] = result["failures"]
    statuses = {r["unique_id"]: r["status"] for r in results}
    yield Built(place, failures, statuses, {r["unique_id"]: r["message"] for r in results})


def _json(folder: Path, name: str) -> Any:
    return json.loads((folder / "target" / name).read_text())


def _name(unique_id: str) -> str:
    return unique_id.rpartition(".")[2]


@pytest.mark.parametrize("name", FOUND)
def test_a_leak_is_found_by_the_tests_that_can(built: Built, name: str) -> None:
    of_set = {test: failures for (model, test), failures in built.failures.items() if model == name}
    assert of_set.keys() >= ALL
    assert {test for test, failures in of_set.items() if failures} == FOUND[name]


def test_all_models_are_built(built: Built) -> None:
    models = {name: status for name, status in built.statuses.items() if name.startswith("model.")}
    assert len(models) == 16
    assert set(models.values()) == {"success"}


def test_an_input_that_says_nothing_is_an_error_with_its_name(built: Built) -> None:
    (name,) = [name for name in built.statuses if "no_leakage_undeclared" in name]
    assert built.statuses[name] == "error"
    assert "it is not declared when rows of penstock.visits_seen are known" in built.messages[name]
    assert "fix: declare known_at or delay" in built.messages[name]
