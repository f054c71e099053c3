"""A stream that logs predictions: each is in the record once over a kill, and when its file comes twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from places import SHORT_LIVED, make_place

SCRIPT = Path(__file__).with_name("logged_stream.py")
FILES, ROWS = 10, 20


def test_each_prediction_is_logged_once(tmp_path: Path) -> None:
    place = make_place(tmp_path / "logged").with_variables(SHORT_LIVED)
    killed = place.run(sys.executable, str(SCRIPT), "start")
    assert killed.returncode == -9, killed.stderr
    at_kill = json.loads((place.folder / "at_kill.json").read_text())
    assert at_kill["rows"] == 6 * ROWS
    resumed = place.run(sys.executable, str(SCRIPT), "resume")
    assert resumed.returncode == 0, resumed.stderr
    told = json.loads(resumed.stdout.splitlines()[-1])
    assert told["rows"] == told["ids"] == FILES * ROWS
    # The batch that was in the table already added nothing, and so did the one of nothing but a file that was there.
    assert told["versions"] == at_kill["versions"] + 2
