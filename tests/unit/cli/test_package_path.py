"""`penstock package-path` in a checkout and without a dbt package; the wheel has tests/dbt/test_package.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import penstock
from penstock.cli import command_line

ROOT = Path(__file__).parents[3]


def test_a_checkout_is_its_own_dbt_package() -> None:
    assert CliRunner().invoke(command_line(), ["package-path"]).output == f"{ROOT}\n"


def test_python_files_alone_are_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = tmp_path / "lib" / "penstock"
    alone.mkdir(parents=True)
    monkeypatch.setattr(penstock, "__file__", str(alone / "__init__.py"))
    done = CliRunner().invoke(command_line(), ["package-path"])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"Error: the dbt package is not beside the Python package\n  where: {alone}\n  fix: ")
