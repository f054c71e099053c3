"""Many commands in one process, so that they share one Spark: a JSON list of words a line on stdin.

They are those of `penstock`, or of dbt where the first word is `dbt`. Each is answered by a line of JSON: exit code,
and what went to stdout and stderr.
"""

import contextlib
import io
import json
import os
import sys

from penstock.cli import main


def run_dbt(arguments):
    from dbt.cli.main import dbtRunner

    found = dbtRunner().invoke(arguments)
    sys.exit(0 if found.success else 1 if found.exception is None else 2)


def run_penstock(arguments):
    sys.argv = ["penstock", *arguments]
    main()


def answer(words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run_dbt(words[1:]) if words[0] == "dbt" else run_penstock(words)
            code = 0
        except SystemExit as end:
            code = end.code
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the JVM prints, too: VACUUM says what it deleted
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
