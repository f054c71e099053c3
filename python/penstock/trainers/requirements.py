"""What an estimator needs to be loaded again, as requirements of pip.

MLflow finds that out in a process of its own, which takes a quarter of a minute for each version that is logged.
"""

from __future__ import annotations

import io
import pickle
from importlib import import_module, metadata
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement

# What MLflow loads an estimator of scikit-learn with, and gives it its inputs in.
_ALWAYS = ("mlflow", "cloudpickle", "pandas", "scikit-learn")


def requirements_of(estimator: Any) -> list[str]:
    """The packages whose code a pickled estimator asks for, and what these need themselves, as they are here.

    Args:
        estimator: Fitted; what it imports only when it predicts is not seen.

    Returns:
        Lines of a requirements.txt, each with the installed version.

    Example:
        >>> from sklearn.linear_model import LinearRegression
        >>> sorted(line.partition("==")[0] for line in requirements_of(LinearRegression()))[:3]
        ['cloudpickle', 'joblib', 'mlflow']
    """
    import cloudpickle

    reader = _Reader(io.BytesIO(cloudpickle.dumps(estimator)))
    reader.load()
    providers = metadata.packages_distributions()
    direct = {name for module in reader.modules for name in providers.get(module, ())} | set(_ALWAYS)
    # MLflow's own needs are many, and say nothing of the model.
    needed = {each for name in direct - {"mlflow"} for each in _needed_by(name)}
    return sorted(f"{name}=={metadata.version(name)}" for name in direct | needed)


class _Reader(pickle.Unpickler):
    """Remembers the packages from which a pickle takes classes and functions."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.modules: set[str] = set()

    def find_class(self, module: str, name: str, /) -> Any:
        self.modules.add(module.partition(".")[0])
        # How cloudpickle writes that a function uses a whole module.
        return self._import if name == "subimport" else super().find_class(module, name)

    def _import(self, module: str) -> ModuleType:
        self.modules.add(module.partition(".")[0])
        return import_module(module)


def _needed_by(name: str) -> set[str]:
    """The names of the installed packages that a package needs here, without its extras."""
    wanted = [Requirement(line) for line in metadata.requires(name) or ()]
    names = {each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})}
    return {metadata.distribution(each).name for each in names}
