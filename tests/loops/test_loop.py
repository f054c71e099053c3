"""`penstock loop` on a project with a declared model: what starts it, where it can be killed, approval, refusals."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from places import ROOT, make_place

SCRIPT = Path(__file__).with_name("looping.py")
# What another loop of the same model may change.
LEFT = ("versions", "runs", "trials", "recorded", "moves", "gates", "loops", "commits", "live", "mirrored")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each loop came to, and what it left, in their order."""
    place = make_place(tmp_path_factory.mktemp("loops") / "project", SCRIPT.with_name("looped"))
    shutil.copytree(ROOT / "tests" / "data" / "generic", place.folder / "tests" / "data" / "generic")
    killed = place.run(sys.executable, str(SCRIPT), "start")
    assert killed.returncode == -9, killed.stderr
    done = place.run(sys.executable, str(SCRIPT), "go on")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def left(outcome: dict[str, Any], *but: str) -> dict[str, Any]:
    return {name: outcome[name] for name in LEFT if name not in but}


def test_the_first_loop_trains_though_it_was_killed_in_its_search(outcomes: dict[str, Any]) -> None:
    first = outcomes["first"]
    assert (first["state"], first["due"], first["ended"]) == ("promoted", ["first"], True)
    assert left(first) == {
        "versions": 1, "runs": 1, "trials": 3, "recorded": [1], "moves": 1, "gates": 0, "loops": 1,
        "commits": first["commits"], "live": 1, "mirrored": 1,
    }  # fmt: skip
    assert first["unfinished"] == 0
    assert first["steps"]["build"] == "version 1 was trained"


def test_what_is_not_due_changes_nothing(outcomes: dict[str, Any]) -> None:
    rest = outcomes["at rest"]
    assert (rest["state"], rest["due"]) == ("promoted", []), "of the loop before; nothing is due"
    assert left(rest) == left(outcomes["first"])


def test_killed_between_any_two_steps_it_ends_as_it_would_have(outcomes: dict[str, Any]) -> None:
    killed = outcomes["killed"]
    steps = [
        "training buying", "testing buying", "registering version 2 of buying",
        "scoring penstock.visits_seen by version 2 and 1", "promoting version 2 of buying",
    ]  # fmt: skip
    assert [each for each in killed["places"] if "Spark" not in each] == [
        f"{when} {step}" for step in steps for when in ("before", "after")
    ]
    assert left(killed, "commits") == {
        "versions": 2, "runs": 2, "trials": 6, "recorded": [1, 2], "moves": 2, "gates": 1, "loops": 2,
        "live": 2, "mirrored": 2,
    }  # fmt: skip
    assert (killed["unfinished"], killed["ended"], killed["due"]) == (0, True, [])
    assert list(killed["steps"]) == ["build", "tests", "gate", "promote"]
    assert killed["steps"]["promote"] == "version 2 is live, before it 1 was"


def test_of_two_at_once_one_is_told(outcomes: dict[str, Any]) -> None:
    one, *others = outcomes["two at once"]["told"]
    assert one.startswith("a loop of model 'buying' runs already, as process ")
    assert others == ["another process runs this loop of model 'buying'"] * 2
    assert left(outcomes["two at once"]) == left(outcomes["killed"])


def test_drift_starts_a_loop_once(outcomes: dict[str, Any]) -> None:
    drift, answered = outcomes["drift"], outcomes["drift, answered"]
    assert (drift["due"], drift["state"], drift["versions"], drift["live"]) == (["drift"], "refused", 3, 2)
    assert drift["steps"]["gate"].startswith("refused; better_by: ")
    assert (answered["due"], left(answered)) == ([], left(drift))


def test_a_refused_version_is_not_trained_again_on_the_same_rows(outcomes: dict[str, Any]) -> None:
    drift, again = outcomes["drift"], outcomes["now, the same rows"]
    assert (again["due"], again["state"]) == (["asked"], "refused")
    assert again["steps"]["build"] == "nothing was to be trained, version 3 is the newest"
    for name in ("versions", "runs", "trials", "recorded", "moves"):
        assert again[name] == drift[name]
    assert again["loops"] == drift["loops"] + 1


def test_a_version_waits_for_approval(outcomes: dict[str, Any]) -> None:
    waits, on, otto = (outcomes[name] for name in ("waits", "waits on", "approved by somebody else"))
    assert (waits["due"], waits["state"], waits["live"], waits["ended"]) == (["time"], "waits for approval", 2, False)
    assert waits["steps"]["gate"] == "refused; approval: nobody has approved it yet"
    assert (on["state"], left(on)) == ("waits for approval", left(waits)), "and so it does, without a word more"
    assert (otto["state"], otto["live"]) == ("waits for approval", 2)
    assert otto["steps"]["gate"].endswith("approved by otto, which is for anna")
    again = outcomes["left"]
    assert (again["state"], again["loops"]) == ("waits for approval", otto["loops"] + 1), "the next one takes its place"
    approved = outcomes["approved"]
    assert (approved["state"], approved["live"], approved["mirrored"]) == ("promoted", 3, 3)
    assert (approved["loops"], approved["moves"], approved["versions"]) == (again["loops"], again["moves"] + 1, 3)


def test_what_the_page_has(outcomes: dict[str, Any]) -> None:
    page = outcomes["rolled back"]
    assert page["came"] == "waits for approval", "a version that was rolled back needs another yes"
    assert (page["rows"][0], page["rows"][1]) == (
        ["promoted", 1, "no version has been trained"],
        ["promoted", 2, "1,600 labels of visits_seen are new, 500 asked for"],
    )
    assert page["rows"][2][:2] == ["refused", 2]
    assert [row[0] for row in page["rows"][3:]] == ["refused", "left", "promoted", "waits for approval"]
