"""The example of docs/readers.md, run as it stands there."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

PAGE = (Path(__file__).parents[3] / "docs" / "readers.md").read_text()


def _table(after: str) -> list[dict[str, Any]]:
    """The rows of the first table after a text; what looks like a whole number is one."""
    lines = PAGE[PAGE.index(after) :].splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    names = _cells(lines[first])
    rows = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        values = [int(cell) if re.fullmatch(r"-?\d+", cell) else cell for cell in _cells(line)]
        rows.append(dict(zip(names, values, strict=True)))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_example(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "delays", pa.Table.from_pylist(_table("\n`delays`\n")))
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    names: dict[str, Any] = {}
    with contextlib.chdir(tmp_path):
        exec(code, names)
    expected = _table("\n`frame` is\n")
    assert names["frame"].to_dict("records") == expected
    assert names["first"].num_rows == 2
    rest = names["training"].batches(
        ["delay", "distance"], where={"split": "train"}, shuffle=names["Shuffle"](100_000, 1), resume=names["state"]
    )
    seen = names["first"].to_pylist() + [row for batch in rest for row in batch.to_pylist()]
    assert sorted(seen, key=str) == sorted(expected, key=str)
