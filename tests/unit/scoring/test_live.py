"""The digest by which a version's files are known again."""

from __future__ import annotations

from pathlib import Path

from penstock.scoring.live import digest_of


def test_a_digest_is_of_the_files_that_somebody_wrote(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "part-00000").write_text("rows")
    before = digest_of(tmp_path)
    (tmp_path / "data" / ".part-00000.crc").write_text("Hadoop's, which a copy lacks")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "code.pyc").write_text("Python's")
    assert digest_of(tmp_path) == before
    (tmp_path / "data" / "part-00000").write_text("rowz")
    assert digest_of(tmp_path) != before
    (tmp_path / "data" / "part-00000").write_text("rows")
    (tmp_path / "data" / ".hidden").write_text("")
    assert digest_of(tmp_path) != before
