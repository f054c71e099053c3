"""MLflow models as SQL functions.

`declared` reads what a function is to return, `functions` writes its statements, `predict` places a call's arguments.
In the workers `score` takes a batch to the versions in `memory`, which `flavours` load; `faster` has engines for some,
and `proof` tells which of them may stand for the library.
"""
