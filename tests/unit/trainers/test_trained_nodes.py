"""Nodes that declare how they train, and their loops, as dbt's manifest has them when it is loaded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dbt_common.exceptions import DbtRuntimeError

from dbt_penstock import declarations, trained

TRAIN = {"rows": "seen", "label": "y", "time": "at", "trainer": "ridge"}
GATE = {"evaluate": "seen", "label": "y", "time": "at", "loss": "squared_error"}


def manifest(*, asks: bool = True, **declared: Any) -> Any:
    """A project of a training set and of a node with this declaration."""
    asked = {"penstock.x": {"kind": "trained"}} if asks else {}
    seen = node("seen", {})
    nodes = (seen, node("delay", {**asked, "penstock": declared} if declared else asked))
    found = {"seen": seen}
    return SimpleNamespace(
        nodes={each.unique_id: each for each in nodes}, resolve_ref=lambda _, name, *__: found.get(name)
    )


def node(name: str, meta: dict[str, Any]) -> Any:
    return SimpleNamespace(
        name=name, unique_id=f"model.p.{name}", resource_type="model", package_name="p", relation_name=f"s.{name}",
        original_file_path=f"models/{name}.yml", config=SimpleNamespace(meta=meta),
        depends_on=SimpleNamespace(nodes=[]),
    )  # fmt: skip


def test_it_depends_on_its_training_set() -> None:
    project = manifest(train=TRAIN)
    for _ in range(2):
        trained.check(project)
        assert project.nodes["model.p.delay"].depends_on.nodes == ["model.p.seen"]
    assert project.nodes["model.p.seen"].depends_on.nodes == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"train": TRAIN | {"rows": "sen"}},
            r"unknown model 'sen'\s+where: models/delay.yml, train, rows\s+did you mean: seen",
        ),
        ({"train": TRAIN | {"trainer": "rigde"}}, r"unknown trainer 'rigde'\n.*\s+did you mean: ridge"),
        ({"train": TRAIN, "asks": False}, r"the node does not train\n.*\s+fix: \{\{ penstock.trained\(\) \}\}"),
        ({}, r"penstock.trained\(\) without a declaration\s+where: models/delay.yml"),
        ({"gate": GATE}, r"penstock.trained\(\) without a declaration"),
    ],
)
def test_what_is_wrong_fails_the_parse(given: dict[str, Any], said: str) -> None:
    with pytest.raises(DbtRuntimeError, match=said):
        trained.check(manifest(**given))


def test_a_loop_that_is_wrong_fails_the_parse() -> None:
    declarations.check(manifest(gate=GATE, loop={"labels": 1}).nodes.values())
    with pytest.raises(DbtRuntimeError, match=r"a loop without a gate\s+where: models/delay.yml, loop"):
        declarations.check(manifest(loop={"labels": 1}).nodes.values())
    with pytest.raises(DbtRuntimeError, match=r"unknown key 'evry'\n.*\s+did you mean: every"):
        declarations.check(manifest(gate=GATE, loop={"evry": "1 day"}).nodes.values())
