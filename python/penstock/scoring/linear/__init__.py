"""Linear models as data: read from a fitted pipeline, scored by numpy or by one SQL expression, without the library.

`from_sklearn` and `from_statsmodels` make a `Formula`, which folds imputers, scalers and encoders into one numeric term
and one term of levels an input. `native` scores it over Arrow columns, `sql` as an expression, and `average` answers an
average from aggregates. `matrix` gives what the transformers before a model of another kind hand to it.
"""
