"""The declarations that docs/models.md and docs/loop.md print."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from penstock.monitoring.gates.definition import parse_gate
from penstock.monitoring.loop.definition import parse_loop
from penstock.trainers.declaration import parse_training
from penstock.trainers.estimators import TRAINERS
from penstock.trainers.evaluate import METRICS

DOCS = Path(__file__).parents[3] / "docs"


def printed(page: str, key: str) -> Any:
    """What a page's YAML declares under this key."""
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), re.S)
    found = [yaml.safe_load(block) for block in blocks]
    sections = [each["models"][0]["config"]["meta"]["penstock"] for each in found if "models" in each]
    [section] = [each for each in sections if key in each]
    return section


def test_a_training() -> None:
    page = (DOCS / "models.md").read_text()
    training = parse_training(printed("models.md", "train")["train"], model="arrival_delay", where="the page")
    assert (training.gap, training.search is not None) == (timedelta(days=2), True)
    assert all(f"`{name}`" in page for name in (*TRAINERS, *(each for of in METRICS.values() for each in of)))


def test_a_loop() -> None:
    section = printed("loop.md", "loop")
    gate = parse_gate(section["gate"], model="arrival_delay", where="the page")
    loop = parse_loop(section["loop"], gate, where="the page")
    assert (loop.every, loop.labels and loop.labels.relation, loop.drift) == (
        timedelta(days=7),
        "arrival_labels",
        "no_drift_flight_drift",
    )
