"""A training set from its Delta files to whatever trains on it: Arrow, pandas, Polars, torch. No Spark, no JVM.

deltalake reads the log: the version, its files, which of their rows are deleted. pyarrow streams the files, a row group
at a time. It is neither deltalake's scan, whose order differs from run to run, nor its pyarrow dataset, which refuses
deletion vectors and column mapping.
"""

from penstock.readers.order import Shuffle
from penstock.readers.reader import TrainingSetReader, open_training_set
from penstock.readers.stream import BatchStream

__all__ = ["BatchStream", "Shuffle", "TrainingSetReader", "open_training_set"]
