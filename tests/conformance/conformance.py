"""The public conformance cases: MetricFlow's requests and expected rows. They lie beside the checkout, not in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2].parent / "shared" / "conformance"
COMPILER = f"{sys.executable} -m penstock.cli compile --batch"
# every case passes; one that stops passing is a regression, whatever else changes
FEWEST = 265

where_they_are = pytest.mark.skipif(not HOME.exists(), reason=f"the conformance cases are not at {HOME}")


def failing(tmp_path: Path, *options: str) -> list[str]:
    """The ids of the cases that fail, each with the reason."""
    report = tmp_path / "report.json"
    command = [sys.executable, str(HOME / "check.py"), "--sut", COMPILER, "--report", str(report)]
    run = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert report.exists(), run.stdout + run.stderr
    cases = json.loads(report.read_text())
    assert len(cases) >= FEWEST
    return [f"{c['id']}: {c['fail']}" for c in cases if not c["ok"]]
