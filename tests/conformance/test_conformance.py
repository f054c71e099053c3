"""The public conformance cases: MetricFlow's requests and expected rows, answered by our SQL on DuckDB and on Spark.

The cases lie beside the checkout, not in it.
"""

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

pytestmark = pytest.mark.skipif(not HOME.exists(), reason=f"the conformance cases are not at {HOME}")


def failing(tmp_path: Path, *options: str) -> list[str]:
    """The ids of the cases that fail, each with the reason."""
    report = tmp_path / "report.json"
    command = [sys.executable, str(HOME / "check.py"), "--sut", COMPILER, "--report", str(report)]
    run = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert report.exists(), run.stdout + run.stderr
    cases = json.loads(report.read_text())
    assert len(cases) >= FEWEST
    return [f"{c['id']}: {c['fail']}" for c in cases if not c["ok"]]


def test_every_case_passes_on_duckdb(tmp_path: Path) -> None:
    assert failing(tmp_path) == []


def test_every_case_passes_on_spark(tmp_path: Path) -> None:
    engine = f"{sys.executable} {HOME / 'spark_engine.py'} {HOME / 'parquet'}"
    assert failing(tmp_path, "--dialect", "spark", "--engine", engine) == []


def test_both_shapes_of_a_manifest_load_to_the_same() -> None:
    from penstock.manifest.load import load_manifest

    found = sorted((HOME / "manifests").iterdir())
    assert found
    for folder in found:
        written, full = (
            json.loads((folder / name).read_text())
            for name in ("semantic_manifest.json", "semantic_manifest.full.json")
        )
        assert load_manifest(written) == load_manifest(full), folder.name
