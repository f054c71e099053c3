"""Many `penstock` commands in one process, so that they share one Spark: a JSON list of arguments a line on stdin.

Each is answered by a line of JSON: exit code, and what went to stdout and stderr.
"""

import contextlib
import io
import json
import sys

from penstock.cli import main


def answer(arguments):
    sys.argv = ["penstock", *arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
