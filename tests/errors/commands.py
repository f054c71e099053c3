"""Many `penstock` commands in one process, so that they share one Spark: a JSON list of arguments a line on stdin.

Each is answered by a line of JSON: exit code, and what went to stdout and stderr.
"""

import contextlib
import io
import json
import sys

from penstock.cli import main

answers = sys.stdout
for line in sys.stdin:
    sys.argv = ["penstock", *json.loads(line)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    print(json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()}), file=answers, flush=True)
