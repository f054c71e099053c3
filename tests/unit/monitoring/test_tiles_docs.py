"""What docs/tiles.md says of Python and of the macros holds."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from textwrap import dedent

import penstock.monitoring.drift
from penstock.monitoring.drift.bin_edges import Baseline
from penstock.monitoring.drift.tile_changes import STATE
from penstock.monitoring.drift.tiling import MOMENTS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tiles.md").read_text()


def test_the_example_in_python() -> None:
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    *statements, last = dedent(block).strip().split("\n")
    names = {**vars(penstock.monitoring.drift), "datetime": datetime, "edges_id": "abc-1"}
    exec("\n".join(statements), names)
    query = eval(last, names).sql("spark")
    assert "edges_id = 'abc-1'" in query
    assert "CAST('2013-07-29 00:00:00' AS TIMESTAMP)" in query


def test_defaults_and_columns() -> None:
    for name in ("values", "bins", "levels"):
        assert f"`{name}` ({Baseline.__dataclass_fields__[name].default})" in PAGE
    columns = set(re.findall(r"`(\w+)`", PAGE))
    assert columns >= {"bucket", "version", "segment", "value", "feature", "bin", *MOMENTS, *STATE}


def test_arguments_of_the_macros() -> None:
    for name in ("edges", "tiles", "baseline_tiles", "drift"):
        text = (ROOT / "macros" / "penstock" / f"{name}.sql").read_text()
        [arguments] = re.findall(rf"macro {name}\((.*?)\) -%", text, re.DOTALL)
        known = {each.partition("=")[0].strip() for each in arguments.split(",")}
        for call in re.findall(rf"penstock\.{name}\((.*?)\) \}}\}}", PAGE, re.DOTALL):
            assert set(re.findall(r"(\w+)=", call)) <= known
