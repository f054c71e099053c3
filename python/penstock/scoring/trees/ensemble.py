"""A tree ensemble of any library in one normal form.

Libraries differ in what a test of a node means: `<=` on float64, `<` on float32, zero as a missing value, sets of
categories. The readers turn all of it into two kinds of test on which the rest relies:

- value <= threshold, in float64 (a float32 `<` is `<=` with the next smaller float32), or
- value lies in a `Subset`: a union of intervals.

NaN goes where the node says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class NotATreeEnsemble(Exception):
    """The model cannot be represented as an `Ensemble`, and why: its library's own predict has to score it."""


@dataclass(frozen=True)
class Subset:
    """The values that a node sends left, as intervals.

    Attributes:
        bounds: Increasing float64 numbers. Directions alternate between them; a bound belongs to the interval below it.
        starts_left: Whether the values up to and including the first bound go left.
    """

    bounds: tuple[float, ...]
    starts_left: bool


@dataclass(frozen=True)
class Ensemble:
    """Trees as flat arrays over the nodes of all trees.

    Attributes:
        n_features: Columns of the matrix that it scores.
        feature: int32 a node, the column that it tests.
        threshold: float64 a node; the row goes left where value <= threshold. Not used where `subset` is set.
        subset: int32 a node, an index into `subsets`, or -1.
        nan_left: bool a node, whether NaN goes left.
        left: int32 a node: the node to the left, or ~leaf.
        right: int32 a node: the node to the right, or ~leaf.
        subsets: The distinct sets of the nodes.
        root: int32 a tree: its first node, or ~leaf.
        output: int32 a tree: the first output that its leaves add to.
        leaves: [leaves, width], float32 or float64: what a leaf adds to `width` outputs from the tree's on. Sums are
            taken in this precision, tree by tree in order.
        base: [outputs] in the precision of `leaves`: where the sums start.
        divisor: What the sums are divided by; 1 for a plain sum.
        link: The name of a function of `links`, from sums to outputs.
        link_scale: What the link multiplies its argument by.
        narrow: Whether the library rounds values to float32 first.
        refuses_nan: Whether the library refuses a matrix with NaN.
        refuses_infinity: The features in which the library refuses an infinity (after rounding, if it rounds).
    """

    n_features: int
    feature: Array
    threshold: Array
    subset: Array
    nan_left: Array
    left: Array
    right: Array
    subsets: tuple[Subset, ...]
    root: Array
    output: Array
    leaves: Array
    base: Array
    divisor: int
    link: str
    link_scale: float = 1.0
    narrow: bool = False
    refuses_nan: bool = False
    refuses_infinity: tuple[int, ...] = ()


@dataclass
class Trees:
    """Gathers trees one by one for an `Ensemble`."""

    parts: dict[str, list[Array]] = field(
        default_factory=lambda: {
            name: [] for name in ("feature", "threshold", "subset", "nan_left", "left", "right", "leaves")
        }
    )
    root: list[int] = field(default_factory=list)
    output: list[int] = field(default_factory=list)
    numbers: dict[Subset, int] = field(default_factory=dict)
    n_nodes: int = 0
    n_leaves: int = 0

    def add(
        self,
        feature: Array,
        threshold: Array,
        nan_left: Array,
        left: Array,
        right: Array,
        leaves: Array,
        *,
        output: int = 0,
        subsets: Mapping[int, Subset] | None = None,
    ) -> None:
        """Add a tree whose first node is its root, or which is one leaf.

        Args:
            feature: A number for each inner node.
            threshold: As in `Ensemble`.
            nan_left: As in `Ensemble`.
            left: Counted within the tree: a node, or ~leaf.
            right: Likewise.
            leaves: [leaves, width].
            output: The first output that it adds to.
            subsets: The nodes whose test is a set.
        """
        import numpy as np

        subset = np.full(len(feature), -1, np.int32)
        for node, each in (subsets or {}).items():
            subset[node] = self.numbers.setdefault(each, len(self.numbers))
        moved = {
            side: np.where(codes >= 0, codes + self.n_nodes, codes - self.n_leaves)
            for side, codes in (("left", np.asarray(left, np.int64)), ("right", np.asarray(right, np.int64)))
        }
        arrays = {
            "feature": feature,
            "threshold": threshold,
            "subset": subset,
            "nan_left": nan_left,
            "leaves": leaves,
            **moved,
        }
        for name, array in arrays.items():
            self.parts[name].append(np.asarray(array))
        self.root.append(self.n_nodes if len(feature) else ~self.n_leaves)
        self.output.append(output)
        self.n_nodes += len(feature)
        self.n_leaves += len(leaves)

    def add_flat(
        self,
        is_leaf: Array,
        feature: Array,
        threshold: Array,
        nan_left: Array,
        left: Array,
        right: Array,
        values: Array,
        *,
        output: int = 0,
        subsets: Mapping[int, Subset] | None = None,
    ) -> None:
        """Add a tree whose leaves are nodes among the others: arrays by node, and `values` [nodes, width]."""
        import numpy as np

        inner = ~is_leaf
        code = np.where(is_leaf, ~(np.cumsum(is_leaf) - 1), np.cumsum(inner) - 1)
        self.add(
            feature[inner],
            threshold[inner],
            nan_left[inner],
            code[left[inner]],
            code[right[inner]],
            values[is_leaf],
            output=output,
            subsets={int(code[node]): each for node, each in (subsets or {}).items()},
        )

    def ensemble(self, n_features: int, base: Array, divisor: int, link: str, **rest: Any) -> Ensemble:
        """All trees that were added, with sums in the precision of `base`."""
        import numpy as np

        def joined(name: str, kind: Any) -> Array:
            return np.concatenate(self.parts[name]).astype(kind, copy=False)

        if not self.root:
            raise NotATreeEnsemble("it has no trees")
        return Ensemble(
            n_features=n_features,
            feature=joined("feature", np.int32),
            threshold=joined("threshold", np.float64),
            subset=joined("subset", np.int32),
            nan_left=joined("nan_left", np.bool_),
            left=joined("left", np.int32),
            right=joined("right", np.int32),
            subsets=tuple(self.numbers),
            root=np.asarray(self.root, np.int32),
            output=np.asarray(self.output, np.int32),
            leaves=joined("leaves", base.dtype),
            base=base,
            divisor=divisor,
            link=link,
            **rest,
        )
