"""Penstock's side: a manifest is loaded once, each request is compiled anew (there is no memo of plans or of SQL)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from protocol import serve

from penstock.manifest.load import load_manifest
from penstock.manifest.model import SemanticManifest
from penstock.semantic import compile_request
from penstock.semantic.batch import request_of

_loaded: list[SemanticManifest] = []


def load(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    _loaded[:] = [load_manifest(json.loads(Path(asked["manifest"]).read_text()))]
    return {}


def compiled(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"sql": compile_request(_loaded[0], request_of(asked["request"]), "duckdb").sql}


if __name__ == "__main__":
    serve({"load": load, "compile": compiled})
