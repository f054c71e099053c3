"""MLflow's models as what Penstock scores: one file a flavour, each calling the model's own library.

Each flavour has two functions: `open_native` reads the model from its files, `scoring` says what it gives and how.
`load.load` picks the flavour and puts its answer into the one shape of `penstock.scoring.contract`.
"""
