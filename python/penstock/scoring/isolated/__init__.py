"""A version that is scored by a process of its own, in an environment that has what the version requires.

`process` is the side of the worker, `serve` that of the environment, `wire` what they say to each other: Arrow over a
pair of pipes.
"""
