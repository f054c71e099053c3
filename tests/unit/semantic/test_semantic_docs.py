"""The example of docs/metrics.md runs as it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import shop

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "semantic_manifest.json").write_text(json.dumps(shop.MANIFEST))
    monkeypatch.chdir(tmp_path)
    seen: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), seen)
    assert seen["query"].columns == (
        "metric_time__month",
        "customer__region__region_name",
        "revenue_per_buyer",
        "refunded",
    )
    assert len(shop.connection().execute(seen["query"].sql).fetchall()) == 3
