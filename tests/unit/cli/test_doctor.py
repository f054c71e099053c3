from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from penstock.engines.spark import java_version
from penstock.errors import EnvironmentProblem

if TYPE_CHECKING:
    from pathlib import Path


def fake_java(folder: Path, version: str) -> None:
    java = folder / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IEXEC)


def test_no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match=r"(?s)Java was not found.*openjdk-17-jre-headless"):
        java_version()


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("21.0.8", 21)])
def test_right_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, major: int) -> None:
    fake_java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java_version()[0] == major


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_392", "25"])
def test_wrong_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> None:
    fake_java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match="cannot run Spark"):
        java_version()
