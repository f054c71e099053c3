"""Models that are in the registry, and of which nothing is ever loaded."""

from __future__ import annotations

from penstock.registry import mlflow_store


def register(model: str, *, versions: int) -> None:
    """Register a model with some versions."""
    store = mlflow_store.client()
    store.create_registered_model(model)
    for _ in range(versions):
        store.create_model_version(model, source="file:///nowhere")
