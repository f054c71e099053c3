"""The loops that score rows, compiled by numba once per machine: the model is data to them.

`encode` turns values into ranks and `add_trees` adds up trees. Both work on blocks of `BLOCK` rows with the rows
innermost and without branches on data, so that the compiler interleaves rows or makes vector instructions of them.

`add_trees` has two ways through a tree. A small or narrow tree is scored as QuickScorer does (Lucchese et al., SIGIR
2015) in its vectorised form (V-QuickScorer, Lucchese et al., SIGIR 2016): a row starts with one bit a leaf, each node
whose test fails clears the bits of its left subtree, and the lowest bit left is the exit leaf. A tree of more than 32
leaves is split into words of 32, and a node is looked at only in the words that it can clear bits of. A large tree is
walked level by level; a leaf is its own child, so that rows may arrive at different depths.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from penstock.scoring.trees.jit import compiled
from penstock.scoring.trees.memory import read, write

# Rows of a block. Its ranks and bits fit the first-level cache up to about a hundred columns, and a tree's nodes are
# loaded once a block.
BLOCK = 128
# Nodes of a bitvector tree that one pass over the rows handles, so that the bits are loaded and stored once for them.
UNROLL = 4
# Multiplying a lone bit by this shifts the sequence by the bit's position, and the five topmost bits then tell the
# position apart: Leiserson, Prokop and Randall, "Using de Bruijn Sequences to Index a 1 in a Computer Word" (1998).
DE_BRUIJN = np.uint32(0x077CB531)
ALL_LEAVES = np.uint32(0xFFFFFFFF)
# In the place of a depth: the word of a bitvector tree's first leaves, and its other words, which come before that one.
BITVECTOR = 0
BITVECTOR_WORD = -1
# The table of a column that has none: its ranks are those of its feature.
NO_TABLE = -1


@compiled(
    "void(Array(float64, 2, 'A', readonly=True), boolean, int64[:, ::1], float64[::1], int64[:, ::1], uint8[::1],"
    " int32[:, ::1])"
)
def encode(  # noqa: PLR0912 - a kernel that calls another would not be compiled anew when that one changes
    matrix: Any, narrow: bool, features: Any, cuts: Any, columns: Any, tables: Any, ranks: Any
) -> None:  # pragma: no cover - machine code
    """Fill `ranks` with the rank of each value: the number of cuts of its feature that are below it.

    Args:
        matrix: float64 [rows, features].
        narrow: Whether values are rounded to float32 first.
        features: int64 [used features, 5]: index in the matrix, first cut, log2 of (number of cuts + 1), first column,
            end of columns.
        cuts: float64, increasing within a feature, filled up with infinity to one less than a power of two.
        columns: int64 [columns, 2]: where its table starts in `tables`, or `NO_TABLE`; the rank of NaN without a table.
        tables: uint8, for a column of a subset split 0 or 1 for each rank of its feature, filled up to the power of
            two, and then for NaN.
        ranks: int32 [blocks, columns * BLOCK], written; a column's rows lie side by side.
    """
    values = np.empty(BLOCK, np.float64)
    position = np.empty(BLOCK, np.uint32)
    n_rows = matrix.shape[0]
    for block in range(ranks.shape[0]):
        first = block * BLOCK
        count = min(BLOCK, n_rows - first)
        for f in range(features.shape[0]):
            index = features[f, 0]
            for r in range(count):
                values[r] = matrix[first + r, index]
            for r in range(count, BLOCK):
                values[r] = 0.0
            if narrow:
                for r in range(BLOCK):
                    values[r] = np.float64(np.float32(values[r]))
            for r in range(BLOCK):
                position[r] = np.uint32(0)
            levels = features[f, 2]
            table = cuts[features[f, 1] :]
            nan_position = np.uint32(1 << levels)
            for level in range(levels):
                shift = np.uint32(levels - 1 - level)
                before = np.uint32(np.uint32(np.uint32(1) << shift) - np.uint32(1))
                for r in range(BLOCK):
                    # Shifting the outcome, in place of choosing by it, keeps the compiler from making a jump of it.
                    below = read(table, np.uint32(position[r] + before)) < read(values, r)
                    write(position, r, np.uint32(position[r] + np.uint32(np.uint32(below) << shift)))
            for c in range(features[f, 3], features[f, 4]):
                column = ranks[block, c * BLOCK : (c + 1) * BLOCK]
                if columns[c, 0] == NO_TABLE:
                    of_nan = np.int32(columns[c, 1])
                    for r in range(BLOCK):
                        column[r] = of_nan if values[r] != values[r] else np.int32(position[r])
                else:
                    of_rank = tables[columns[c, 0] :]
                    for r in range(BLOCK):
                        at = nan_position if values[r] != values[r] else position[r]
                        write(column, r, np.int32(read(of_rank, at)))


@compiled(
    "void(int32[:, ::1], int64[:, ::1], uint32[::1], int32[::1], uint32[::1], uint32[::1], float64[:, ::1],"
    " float64[:, :, ::1])",
    "void(int32[:, ::1], int64[:, ::1], uint32[::1], int32[::1], uint32[::1], uint32[::1], float32[:, ::1],"
    " float32[:, :, ::1])",
)
def add_trees(  # noqa: PLR0912
    ranks: Any, trees: Any, node_column: Any, node_cut: Any, node_mask: Any, node_child: Any, values: Any, out: Any
) -> None:  # pragma: no cover - machine code
    """Add to `out` what each tree gives, tree by tree in order, in the precision of `out`.

    A node's test passes, and the row goes left, where the rank in the node's column is at most the node's cut.

    Args:
        ranks: int32 [blocks, columns * BLOCK], of `encode`.
        trees: int64 [trees and further words, 5]: depth, `BITVECTOR` or `BITVECTOR_WORD`; first node; end of nodes, a
            multiple of `UNROLL` after the first for bitvectors; first leaf, which for `BITVECTOR_WORD` is counted from
            the tree's first; first output.
        node_column: uint32, where the column that a node tests starts in a row of `ranks`.
        node_cut: int32.
        node_mask: uint32, for a node of a bitvector's word the leaves that stay where its test fails.
        node_child: uint32, for a node of a walked tree its left child, counted from the tree's first node, with the
            right child one after it; itself for a leaf.
        values: float32 or float64 [width, leaves]; leaves of a bitvector tree by the hash of their bit, those of a
            walked tree by their node.
        out: float32 or float64 [blocks, outputs, BLOCK], added to.
    """
    bits = np.empty(BLOCK, np.uint32)
    place = np.zeros(BLOCK, np.uint32)
    for block in range(ranks.shape[0]):
        here = ranks[block]
        for t in range(trees.shape[0]):
            depth, start, stop, leaf, output = trees[t, 0], trees[t, 1], trees[t, 2], trees[t, 3], trees[t, 4]
            if depth <= BITVECTOR:
                for r in range(BLOCK):
                    bits[r] = ALL_LEAVES
                for n in range(start, stop, UNROLL):
                    ranks0, ranks1 = here[node_column[n] :], here[node_column[n + 1] :]
                    ranks2, ranks3 = here[node_column[n + 2] :], here[node_column[n + 3] :]
                    cut0, cut1, cut2, cut3 = node_cut[n], node_cut[n + 1], node_cut[n + 2], node_cut[n + 3]
                    mask0, mask1, mask2, mask3 = node_mask[n], node_mask[n + 1], node_mask[n + 2], node_mask[n + 3]
                    for r in range(BLOCK):
                        left = bits[r]
                        left &= mask0 if read(ranks0, r) > cut0 else ALL_LEAVES
                        left &= mask1 if read(ranks1, r) > cut1 else ALL_LEAVES
                        left &= mask2 if read(ranks2, r) > cut2 else ALL_LEAVES
                        left &= mask3 if read(ranks3, r) > cut3 else ALL_LEAVES
                        write(bits, r, left)
                word = np.uint32(leaf if depth == BITVECTOR_WORD else 0)
                for r in range(BLOCK):
                    lowest = bits[r] & np.uint32(~bits[r] + np.uint32(1))
                    found = np.uint32(word + (np.uint32(lowest * DE_BRUIJN) >> np.uint32(27)))
                    # The exit leaf is in the first word that has a bit left, and words come in falling order.
                    place[r] = found if bits[r] != np.uint32(0) else place[r]
                if depth == BITVECTOR_WORD:
                    continue
            else:
                column, cut, child = node_column[start:stop], node_cut[start:stop], node_child[start:stop]
                for r in range(BLOCK):
                    place[r] = np.uint32(0)
                for _ in range(depth):
                    moved = np.uint32(0)
                    for r in range(BLOCK):
                        node = place[r]
                        rank = read(here, np.uint32(read(column, node) + np.uint32(r)))
                        fails = np.uint32(1) if rank > read(cut, node) else np.uint32(0)
                        follow = np.uint32(read(child, node) + fails)
                        moved |= np.uint32(follow ^ node)
                        write(place, r, follow)
                    if moved == 0:
                        break
            for k in range(values.shape[0]):
                total = out[block, output + k]
                given = values[k, leaf:]
                for r in range(BLOCK):
                    write(total, r, total[r] + read(given, place[r]))


@compiled("void(float64[::1])", "void(float32[::1])")
def exponentials(values: Any) -> None:  # pragma: no cover - machine code
    """Replace each value by its exponential, from the C library and in the array's precision, as LightGBM and XGBoost
    compute it: numpy's own may differ in the last bit."""
    for i in range(values.size):
        values[i] = math.exp(values[i])


@compiled("void(float32[::1])")
def logarithms(values: Any) -> None:  # pragma: no cover - machine code
    """Replace each value by its natural logarithm, from the C library and in the array's precision."""
    for i in range(values.size):
        values[i] = math.log(values[i])
