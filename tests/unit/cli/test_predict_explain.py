"""`penstock predict explain`: the sum of its calls, and errors as of other commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from penstock.cli import command_line
from penstock.engines.price import Priced, total

if TYPE_CHECKING:
    from pathlib import Path


def call(rows: int | None, bound: str, cost: float | None = 2.0) -> Priced:
    seconds = None if rows is None or cost is None else rows * cost / 1e6
    return Priced("f", "m", 1, "champion", "linear", rows, bound, cost, seconds)


@pytest.mark.parametrize(
    ("calls", "seconds", "bound"),
    [
        ([call(1_000_000, "exact"), call(500_000, "exact")], 3.0, "exact"),
        ([call(1_000_000, "exact"), call(500_000, "at most")], 3.0, "at most"),
        ([call(1_000_000, "exact"), call(None, "unknown")], None, "unknown"),
        ([call(1_000_000, "exact", None)], None, "unknown"),
    ],
)
def test_the_sum_of_calls(calls: list[Priced], seconds: float | None, bound: str) -> None:
    assert total(calls) == (seconds, bound)


def test_its_errors_are_those_of_other_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command_line(), ["predict", "explain", "SELECT 1", "--json"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert json.loads(done.stderr)["error"]["what"] == "there is no dbt project here"
