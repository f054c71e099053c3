"""Where state lies: one folder, `.penstock` beside the project unless PENSTOCK_HOME names another."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of all local state (warehouse, metastore, MLflow, logs), as an absolute path."""
    return Path(os.environ.get("PENSTOCK_HOME", ".penstock")).absolute()
