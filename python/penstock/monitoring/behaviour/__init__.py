"""How a model behaves: under small changes, on pairs of rows, in its mistakes, in the long tail."""
