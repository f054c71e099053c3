"""The conformance cases, answered by our SQL on DuckDB."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from conformance import HOME, failing, where_they_are

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = where_they_are


def test_every_case_passes_on_duckdb(tmp_path: Path) -> None:
    assert failing(tmp_path) == []


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
