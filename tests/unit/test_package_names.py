"""What `import penstock` gives, and that it costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import penstock
from penstock.monitoring.record import log as door


def test_the_record_is_logged_to_by_the_packages_own_name() -> None:
    assert penstock.log is door.log_predictions
    assert (penstock.log_features, penstock.log_feedback) == (door.log_features, door.log_feedback)
    assert {"log", "log_features", "log_feedback", "__version__"} <= set(dir(penstock))
    with pytest.raises(AttributeError, match="module 'penstock' has no attribute 'lok'"):
        _ = penstock.lok  # type: ignore[attr-defined]


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import penstock; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['penstock']"
    code = "import sys, penstock; penstock.log; print({'pyspark', 'mlflow', 'pandas', 'delta'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
