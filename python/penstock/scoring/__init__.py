"""MLflow models as SQL functions.

Three layers: dispatchers that run models inside Spark's Python workers (`dispatchers`), one persistent SQL function a
model (`functions`), and `predict('name', …)`, which is rewritten to that function (`predict`).
"""
