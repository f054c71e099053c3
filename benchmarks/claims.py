"""The goals of claims.toml, and the verdict on each figure."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Claim:
    """One figure that has a goal.

    Args:
        name: How the run prints it.
        bench: The `make bench-…` that measures it.
        goal: The figure to reach.
        better: Whether figures above or below the goal meet it.
        unit: What stands behind the figure.
        text: What is measured.
    """

    name: str
    bench: str
    goal: float
    better: Literal["higher", "lower"]
    unit: str
    text: str

    def met(self, figure: float) -> bool:
        """Whether the figure reaches the goal."""
        return figure >= self.goal if self.better == "higher" else figure <= self.goal


def claims_of(bench: str) -> dict[str, Claim]:
    """The claims that one benchmark has to print, by name."""
    raw = tomllib.loads((Path(__file__).parent / "claims.toml").read_text())["claim"]
    found = [Claim(**{"better": "higher", "unit": "×", **entry}) for entry in raw]
    return {c.name: c for c in found if c.bench == bench}


def report(bench: str, figures: dict[str, float | None]) -> None:
    """Print a verdict for every claim of the benchmark; None is a figure that could not be measured here."""
    claims = claims_of(bench)
    unknown = sorted(set(figures) - set(claims))
    if unknown:
        raise KeyError(f"claims.toml has no {', '.join(unknown)} for {bench}")
    print()
    for claim in claims.values():
        figure = figures.get(claim.name)
        goal = f"goal {'≥' if claim.better == 'higher' else '≤'} {claim.goal:g}{claim.unit}"
        if figure is None:
            print(f"claim {claim.name}: not measured ({goal})")
        else:
            print(f"claim {claim.name}: {figure:.3g}{claim.unit} ({goal}) {'met' if claim.met(figure) else 'missed'}")
