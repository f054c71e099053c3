"""Whether a table is as usual: its volume, NULLs, schema and freshness, judged by its own past."""
