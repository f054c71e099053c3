"""`penstock report` before Spark is started, and where its page goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from penstock.cli import command_line
from penstock.project import Project


def run(*words: str) -> Result:
    return CliRunner().invoke(command_line(), ["report", *words])


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Project, "report", lambda self, model: f"<p>{model} – ✓</p>")
    return tmp_path


def test_the_page_is_a_file(folder: Path) -> None:
    done = run("delay")
    assert (done.exit_code, done.stdout) == (0, "delay.html: 0 KB, open it in a browser\n")
    assert (folder / "delay.html").read_text(encoding="utf-8") == "<p>delay – ✓</p>"
    assert run("delay", "--to", "other.html").exit_code == 0
    assert (folder / "other.html").exists()


def test_a_folder_that_is_not_there_is_told(folder: Path) -> None:
    done = run("delay", "--to", "nowhere/page.html")
    assert done.exit_code == 1
    assert "there is no such folder\n  where: nowhere" in done.stderr


def test_a_declaration_that_is_wrong_is_told_before_spark_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    node: dict[str, Any] = {
        "name": "delay", "resource_type": "model", "unique_id": "model.p.delay", "original_file_path": "models/d.yml",
        "config": {"meta": {"penstock": {"report": {"rows": "scored"}}}},
    }  # fmt: skip
    monkeypatch.setattr(Project, "dbt_manifest", {"nodes": {"model.p.delay": node}})
    done = run("delay")
    assert done.exit_code == 1
    assert "score is missing\n  where: models/d.yml, report" in done.stderr
