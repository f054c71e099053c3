"""An ensemble as the arrays that the kernels read.

Each used feature gets its sorted distinct cuts, and values are compared by their rank among them: a value is at most a
cut exactly where its rank is at most the cut's. A feature becomes one column for the tests that send NaN left, one for
those that send it right, and one for each distinct subset, where the rank is 0 for values that go left, else 1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from penstock.scoring.trees.ensemble import Ensemble

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

WORD = 32
# A test of a bitvector costs about a tenth of a step of a walk (0.08 and 0.9 ns a row on a Xeon of 2023).
TESTS_OF_A_STEP = 10
MOST_WORDS = 8
NEVER_FAILS = 2**31 - 1
RANK_OF_NAN = {True: -1, False: 2**31 - 1}


@dataclass(frozen=True)
class Layout:
    """The arguments of `kernel.encode` and `kernel.add_trees`, in their words."""

    features: Array
    cuts: Array
    columns: Array
    tables: Array
    trees: Array
    node_column: Array
    node_cut: Array
    node_mask: Array
    node_child: Array
    values: Array

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(int(getattr(self, each.name).nbytes) for each in fields(self))


def lay_out(ensemble: Ensemble) -> Layout:
    """Compile an ensemble to arrays; linear in its nodes."""
    columns = _columns(ensemble)
    return Layout(**columns.arrays, **_trees(ensemble, columns))


@dataclass(frozen=True)
class _Columns:
    """The columns, and for each node its column and its cut as a rank."""

    arrays: dict[str, Array]
    of_node: Array
    cut_of_node: Array


def _columns(ensemble: Ensemble) -> _Columns:
    import numpy as np

    from penstock.scoring.trees.kernel import NO_TABLE

    features: list[tuple[int, ...]] = []
    cuts: list[Any] = []
    columns: list[tuple[int, int]] = []
    tables: list[Any] = []
    n_cuts = n_table = 0
    of_node = np.zeros(len(ensemble.feature), np.int64)
    cut_of_node = np.zeros(len(ensemble.feature), np.int64)
    for feature in np.unique(ensemble.feature):
        nodes = np.flatnonzero(ensemble.feature == feature)
        is_subset = ensemble.subset[nodes] >= 0
        numeric, subset = nodes[~is_subset], nodes[is_subset]
        bounds = [ensemble.subsets[each].bounds for each in np.unique(ensemble.subset[subset])]
        own = np.unique(np.concatenate([ensemble.threshold[numeric], *bounds]).astype(np.float64))
        levels = len(own).bit_length()
        first_column = len(columns)
        for nan_left in (False, True):
            these = numeric[ensemble.nan_left[numeric] == nan_left]
            if len(these):
                of_node[these] = len(columns)
                cut_of_node[these] = np.searchsorted(own, ensemble.threshold[these])
                columns.append((NO_TABLE, RANK_OF_NAN[nan_left]))
        ranks = np.arange(len(own) + 1)
        for number, nan_left in sorted({(int(ensemble.subset[n]), bool(ensemble.nan_left[n])) for n in subset}):
            these = subset[(ensemble.subset[subset] == number) & (ensemble.nan_left[subset] == nan_left)]
            of_node[these] = len(columns)
            columns.append((n_table, int(not nan_left)))
            chosen = ensemble.subsets[number]
            below = np.searchsorted(np.searchsorted(own, np.asarray(chosen.bounds, np.float64)), ranks)
            goes_left = (below % 2 == 0) == chosen.starts_left
            table = np.full((1 << levels) + 1, not nan_left)
            table[: len(ranks)] = ~goes_left
            tables.append(table)
            n_table += len(table)
        features.append((int(feature), n_cuts, levels, first_column, len(columns)))
        cuts.append(np.r_[own, np.full((1 << levels) - 1 - len(own), np.inf)])
        n_cuts += (1 << levels) - 1
    arrays = {
        "features": np.asarray(features, np.int64).reshape(-1, 5),
        "cuts": np.concatenate([*cuts, [np.inf]]),
        "columns": np.asarray(columns, np.int64).reshape(-1, 2),
        "tables": np.concatenate([*tables, [False]]).astype(np.uint8),
    }
    return _Columns(arrays, of_node, cut_of_node)


class _Nodes:
    """Arrays of nodes that grow tree by tree."""

    def __init__(self) -> None:
        self.column: list[Any] = []
        self.cut: list[Any] = []
        self.mask: list[Any] = []
        self.child: list[Any] = []
        self.count = 0

    def add(self, column: Any, cut: Any, mask: Any, child: Any) -> int:
        """Append nodes; gives where they start."""
        start = self.count
        self.column.append(column)
        self.cut.append(cut)
        self.mask.append(mask)
        self.child.append(child)
        self.count += len(column)
        return start


def _trees(ensemble: Ensemble, columns: _Columns) -> dict[str, Array]:
    import numpy as np

    from penstock.scoring.trees.kernel import BITVECTOR, BITVECTOR_WORD, BLOCK

    nodes = _Nodes()
    trees, leaves_of = [], []
    n_slots = 0
    for root, output in zip(ensemble.root.tolist(), ensemble.output.tolist(), strict=True):
        levels = _levels(ensemble, root)
        n_inner = sum(int((level >= 0).sum()) for level in levels)
        if n_inner < WORD or (n_inner <= TESTS_OF_A_STEP * (len(levels) - 1) and n_inner < WORD * MOST_WORDS):
            words, leaves = _bitvector(ensemble, columns, root, nodes)
            for offset, start, end in words[:0:-1]:
                trees.append((BITVECTOR_WORD, start, end, offset, output))
            trees.append((BITVECTOR, *words[0][1:], n_slots, output))
        else:
            start, leaves = _walked(ensemble, columns, levels, nodes)
            trees.append((len(levels) - 1, start, nodes.count, n_slots, output))
        leaves_of.append(leaves)
        n_slots += len(leaves)
    return {
        "trees": np.asarray(trees, np.int64),
        "node_column": (np.concatenate(nodes.column) * BLOCK).astype(np.uint32),
        "node_cut": np.concatenate(nodes.cut).astype(np.int32),
        "node_mask": np.concatenate(nodes.mask).astype(np.uint32),
        "node_child": np.concatenate(nodes.child).astype(np.uint32),
        "values": np.ascontiguousarray(ensemble.leaves[np.concatenate(leaves_of)].T),
    }


def _levels(ensemble: Ensemble, root: int) -> list[Array]:
    """The nodes and ~leaves of a tree by depth; siblings lie side by side."""
    import numpy as np

    levels = [np.array([root], np.int64)]
    while (inner := levels[-1][levels[-1] >= 0]).size:
        levels.append(np.column_stack([ensemble.left[inner], ensemble.right[inner]]).astype(np.int64).ravel())
    return levels


def _bitvector(
    ensemble: Ensemble, columns: _Columns, root: int, nodes: _Nodes
) -> tuple[list[tuple[int, int, int]], Array]:
    """Append a tree as bitvectors.

    Returns:
        For each word of 32 leaves the number of leaves before it, its first node and its end of nodes; and the leaves,
        word by word, by the hash of their bit.
    """
    import numpy as np

    from penstock.scoring.trees.kernel import ALL_LEAVES, DE_BRUIJN

    leaves, tests = _cleared(ensemble, root)
    words = []
    slots = np.full(-(-len(leaves) // WORD) * WORD, leaves[0], np.int64)
    for offset in range(0, len(leaves), WORD):
        masks = [(node, int(ALL_LEAVES) & ~(in_left >> offset)) for node, in_left in tests]
        words.append((offset, *_append_word(columns, nodes, [each for each in masks if each[1] != ALL_LEAVES])))
        for position, leaf in enumerate(leaves[offset : offset + WORD]):
            slots[offset + (((int(DE_BRUIJN) << position) & int(ALL_LEAVES)) >> 27)] = leaf
    return words, slots


def _cleared(ensemble: Ensemble, root: int) -> tuple[list[int], list[tuple[int, int]]]:
    """A tree's leaves from left to right, and its nodes with the bits of the leaves in their left subtree."""
    leaves: list[int] = []
    first_leaf: dict[int, int] = {}
    tests: list[tuple[int, int]] = []
    waiting = [(root, False)]
    while waiting:
        code, left_is_done = waiting.pop()
        if code < 0:
            leaves.append(~code)
        elif left_is_done:
            tests.append((code, (1 << len(leaves)) - (1 << first_leaf[code])))
        else:
            first_leaf[code] = len(leaves)
            waiting += [(int(ensemble.right[code]), False), (code, True), (int(ensemble.left[code]), False)]
    return leaves, tests


def _append_word(columns: _Columns, nodes: _Nodes, masks: list[tuple[int, int]]) -> tuple[int, int]:
    """Append the nodes of a word with their masks, filled up with tests that never fail; gives their start and end."""
    import numpy as np

    from penstock.scoring.trees.kernel import ALL_LEAVES, UNROLL

    padding = -len(masks) % UNROLL
    chosen = np.array([node for node, _ in masks], np.int64)
    start = nodes.add(
        np.r_[columns.of_node[chosen], np.zeros(padding, np.int64)],
        np.r_[columns.cut_of_node[chosen], np.full(padding, NEVER_FAILS)],
        np.array([mask for _, mask in masks] + [int(ALL_LEAVES)] * padding, np.int64),
        np.zeros(len(masks) + padding, np.int64),
    )
    return start, nodes.count


def _walked(ensemble: Ensemble, columns: _Columns, levels: list[Array], nodes: _Nodes) -> tuple[int, Array]:
    """Append a tree to be walked, breadth first; gives its first node, and each node's leaf (0 for an inner one)."""
    import numpy as np

    codes = np.concatenate(levels)
    is_leaf = codes < 0
    inner = codes[~is_leaf]
    child = np.arange(len(codes))
    # Breadth first, the children of the i-th inner node are the nodes 2i + 1 and 2i + 2.
    child[~is_leaf] = 2 * np.arange(len(inner)) + 1
    column = np.zeros(len(codes), np.int64)
    column[~is_leaf] = columns.of_node[inner]
    cut = np.full(len(codes), NEVER_FAILS)
    cut[~is_leaf] = columns.cut_of_node[inner]
    start = nodes.add(column, cut, np.zeros(len(codes), np.int64), child)
    return start, np.where(is_leaf, ~codes, 0)
