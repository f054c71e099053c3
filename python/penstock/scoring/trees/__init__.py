"""Tree ensembles scored without their library, and equal to it.

`compile_trees` (in `predictor`) reads a model of LightGBM, XGBoost or scikit-learn (`from_…`) into one normal form
(`ensemble`), lays it out as flat arrays (`layout`), and scores rows with kernels that are compiled once per machine,
not per model (`kernel`). `split_probes` (in `probes`) makes the rows on which equality with the library is proven.

Sums of trees are taken in the order and the precision of the library, so results are equal to its predict bit by bit.
"""
