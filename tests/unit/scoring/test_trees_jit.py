"""Kernels are compiled and kept where no usual folder for a cache can be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from numba.core.caching import CacheImpl

from penstock.scoring.trees import jit


def doubled(value: float) -> float:
    return value * 2


@pytest.fixture
def nowhere_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """numba finds no folder but the one it is told; the system's temporary folder is `tmp_path`."""
    told = CacheImpl._locator_classes[0]
    monkeypatch.setattr(CacheImpl, "_locator_classes", [told])
    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(jit.config, "CACHE_DIR", "")
    return tmp_path


def test_the_temporary_folder_holds_the_cache(nowhere_to_write: Path) -> None:
    function: Any = jit.compiled("float64(float64)")(doubled)
    assert function(2.5) == 5
    (folder,) = nowhere_to_write.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.rglob("*.nbi"))
    assert jit.config.CACHE_DIR == ""


def test_a_folder_that_others_can_write_to_is_not_used(nowhere_to_write: Path) -> None:
    jit.private_folder(nowhere_to_write / f"penstock-numba-{jit.os.getuid()}").chmod(0o777)  # type: ignore[union-attr]
    function: Any = jit.compiled("float64(float64)")(doubled)
    assert function(2.5) == 5
    assert not list(nowhere_to_write.rglob("*.nbi"))


def test_a_link_or_a_file_is_no_private_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    assert jit.private_folder(tmp_path / "link") is None
    assert jit.private_folder(tmp_path / "file") is None
    assert jit.private_folder(tmp_path / "none" / "below") is None
