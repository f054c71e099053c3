"""Training nodes of the DAG: fit, judge, log, register, and let the first version go live."""

from penstock.trainers.train import train

__all__ = ["train"]
