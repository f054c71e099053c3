"""MetricFlow's side: a manifest is loaded once, each request is compiled anew."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from protocol import serve

from benchmarks.metricflow_sql import MetricFlow

_loaded: list[MetricFlow] = []


def load(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    _loaded[:] = [MetricFlow(Path(asked["manifest"]).read_text())]
    return {}


def compiled(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"sql": _loaded[0].sql(asked["request"])}


def dimensions(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"names": _loaded[0].dimensions(asked["metrics"])}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    serve({"load": load, "compile": compiled, "dimensions": dimensions})
