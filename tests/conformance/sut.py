"""The compiler behind the conformance protocol: a JSON list of requests on stdin, a JSON list of answers on stdout."""

from __future__ import annotations

import json
import sys
import traceback
from functools import lru_cache
from pathlib import Path

from penstock.manifest.load import load_manifest
from penstock.manifest.model import SemanticManifest
from penstock.semantic.batch import answer


@lru_cache
def manifest_at(path: str) -> SemanticManifest:
    return load_manifest(json.loads(Path(path).read_text()))


def main() -> None:
    answers = []
    for request in json.load(sys.stdin):
        try:
            answers.append(answer(request, manifest_at(request["manifest"])))
        except Exception as bug:  # a bug in one case shouldn't hide the other cases
            answers.append({"id": request["id"], "error": f"BUG {bug!r} {traceback.format_exc()[-1200:]}"})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
