"""The examples of the docs and the README run on the demo as they are printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from penstock.cli import command_line

if TYPE_CHECKING:
    from penstock.project import Project

ROOT = Path(__file__).parents[2]
# The demo is what these run on; a server stays until it is told to end, and has tests of its own.
ELSEWHERE = re.compile(r"penstock (demo|serve)\b")
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def blocks(language: str) -> list[tuple[str, str]]:
    """The fenced blocks of one language: page and text."""
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.M | re.S)
    return [(page.name, text) for page in PAGES for text in fence.findall(page.read_text())]


def commands() -> list[tuple[str, str]]:
    """The `penstock` commands in console blocks, without their output."""
    lines = [(page, line) for page, text in blocks("console") for line in text.splitlines()]
    return [(page, line.removeprefix("$ ")) for page, line in lines if line.startswith("$ penstock ")]


@pytest.mark.parametrize(("page", "statement"), blocks("sql"))
def test_sql_runs(flights: Project, page: str, statement: str) -> None:
    assert flights.sql(statement).num_rows > 0


@pytest.mark.usefixtures("flights")
@pytest.mark.parametrize(("page", "model"), blocks(r"sql\+jinja"))
def test_models_compile(page: str, model: str) -> None:
    from dbt.cli.main import dbtRunner

    done = dbtRunner().invoke(["compile", "--quiet", "--inline", model])
    assert done.success, done.exception
    [compiled] = [result.node.compiled_code for result in done.result.results]
    assert re.match(r"\s*(SELECT|WITH|version:)(?!\w)", compiled, re.I)
    assert "{{" not in compiled


@pytest.mark.usefixtures("flights")
@pytest.mark.parametrize(("page", "command"), [c for c in commands() if not ELSEWHERE.match(c[1])])
def test_commands_run(page: str, command: str) -> None:
    done = CliRunner().invoke(command_line(), shlex.split(command)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.output.strip()
