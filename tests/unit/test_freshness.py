"""A project against the manifest of its last parse: changed, new, gone; and what is no change."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.freshness import changed_since_parse

PARSED = datetime.now(UTC)
BEFORE, AFTER = ((PARSED + timedelta(minutes=m)).timestamp() for m in (-5, 5))

FILES = {
    "dbt_project.yml": "model-paths: [models, more]\n",
    "models/a.sql": "select 1\n",
    "models/a.yml": "models: []\n",
    "models/off.sql": "select 0\n",
    "macros/m.sql": "{% macro m() %}{% endmacro %}",
    "seeds/s.csv": "id\n1\n",
    "udfs/f.py": "def main(x):\n    return x\n",
    "dbt_packages/other/models/b.sql": "select 2\n",
    "README.md": "",
}


def entry(path: str, kind: str, package: str = "shop", **more: Any) -> dict[str, Any]:
    return {"original_file_path": path, "resource_type": kind, "package_name": package, **more}


def manifest() -> dict[str, Any]:
    seed = hashlib.sha256(FILES["seeds/s.csv"].strip().encode()).hexdigest()
    return {
        "metadata": {"project_name": "shop", "generated_at": PARSED.isoformat().replace("+00:00", "Z")},
        "nodes": {
            "a": entry("models/a.sql", "model", raw_code="select 1", patch_path="shop://models/a.yml"),
            "s": entry("seeds/s.csv", "seed", checksum={"checksum": seed}),
            "b": entry("models/b.sql", "model", "other", raw_code="select 2"),
        },
        "functions": {"f": entry("udfs/f.py", "function", raw_code=FILES["udfs/f.py"].strip())},
        "macros": {"m": entry("macros/m.sql", "macro"), "dbt": entry("macros/gone.sql", "macro", "dbt")},
        "disabled": {"d": [entry("models/off.sql", "model", raw_code="select 0")]},
        "parent_map": {"a": []},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        write(tmp_path, name, text, BEFORE)
    return tmp_path


def write(folder: Path, name: str, text: str, time: float = AFTER) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (time, time))


Change = Callable[[Path], None]
SAME: dict[str, Change] = {
    "nothing": lambda at: None,
    "a checkout of the same files": lambda at: [
        write(at, name, FILES[name]) for name in ("models/a.sql", "seeds/s.csv", "udfs/f.py")
    ],
    "an end of line": lambda at: write(at, "models/a.sql", "select 1\n\n"),
    "a file that dbt does not read": lambda at: write(at, "models/notes.txt", ""),
    "a file beside the folders": lambda at: write(at, "elsewhere/x.sql", ""),
    "a file in a package that dbt brought": lambda at: write(at, "dbt_packages/other/models/b.sql", "select 2"),
}
CHANGED: dict[str, Change] = {
    "models/a.sql has changed": lambda at: write(at, "models/a.sql", "select 2"),
    "udfs/f.py has changed": lambda at: write(at, "udfs/f.py", "def main(x):\n  return x"),
    "seeds/s.csv has changed": lambda at: write(at, "seeds/s.csv", "id\n2\n"),
    "models/a.yml has changed": lambda at: write(at, "models/a.yml", FILES["models/a.yml"]),
    "macros/m.sql has changed": lambda at: write(at, "macros/m.sql", ""),
    "dbt_project.yml has changed": lambda at: write(at, "dbt_project.yml", FILES["dbt_project.yml"]),
    "models/b.sql has changed": lambda at: write(at, "dbt_packages/other/models/b.sql", "select 3"),
    "models/off.sql has changed": lambda at: write(at, "models/off.sql", "select 1"),
    "models/a.sql is gone": lambda at: (at / "models/a.sql").unlink(),
    "more/new.sql is new": lambda at: write(at, "more/new.sql", ""),
    "seeds/new.csv is new": lambda at: write(at, "seeds/new.csv", ""),
    "macros/new.yml is new": lambda at: write(at, "macros/new.yml", ""),
}


@pytest.mark.parametrize("change", SAME)
def test_no_change(folder: Path, change: str) -> None:
    SAME[change](folder)
    assert changed_since_parse(manifest(), folder) is None


@pytest.mark.parametrize("change", CHANGED)
def test_a_change_is_named(folder: Path, change: str) -> None:
    CHANGED[change](folder)
    assert changed_since_parse(manifest(), folder) == change


def test_a_file_that_was_there_before_the_parse_is_not_new(folder: Path) -> None:
    old = manifest()
    write(folder, "models/ignored.sql", "", BEFORE)
    old["metadata"]["generated_at"] = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    assert changed_since_parse(old, folder) is None


def test_hundreds_of_files_take_milliseconds(folder: Path) -> None:
    import time

    big = manifest()
    for i in range(500):
        write(folder, f"models/m{i}.sql", "select 1", BEFORE)
        big["nodes"][f"m{i}"] = entry(f"models/m{i}.sql", "model", raw_code="select 1")
    began = time.perf_counter()
    assert changed_since_parse(big, folder) is None
    assert time.perf_counter() - began < 0.5, "it is about 10 ms on an idle machine"
