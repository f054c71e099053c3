"""When and where a feature changed: the times within which its tiles differ most from those outside, and the bins.

What is compared is G, the likelihood ratio of the table of two samples (inside and outside) by bins. As many times are
tried, the greatest G of them is large by chance, too; how large is found by putting the buckets in another order, in
which no change has a place: if none happened, all orders are equally likely.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from penstock.errors import InvalidRequestError, UnknownNameError

if TYPE_CHECKING:
    import numpy as np

    Counts = np.ndarray[Any, Any]

Shape = Literal["split", "window"]


@dataclass(frozen=True)
class Change:
    """The greatest change among buckets of time.

    Attributes:
        start: The first bucket inside.
        end: The first bucket after it; of a split, all that follow are inside.
        g: The likelihood ratio of inside and outside.
        p: How often buckets in another order have one as large.
        bins: How much of `g` each bin makes up, in the order of the columns; they add up to it.
    """

    start: int
    end: int
    g: float
    p: float
    bins: tuple[float, ...]

    @property
    def bin(self) -> int:
        """The bin that changed most."""
        return max(range(len(self.bins)), key=self.bins.__getitem__)


def change(counts: Counts, *, shape: Shape = "split", permutations: int = 199, seed: int = 0) -> Change:
    """Where the buckets of one feature change most.

    Args:
        counts: Whole numbers of rows: a row a bucket, in order of time and with a row for those without any, and a
            column a bin.
        shape: `split`: all buckets from a time on are inside. `window`: any run of buckets that is not all of them, for
            a change that went away again; the work grows with the square of their number.
        permutations: How many other orders are tried; the least p is 1 / (permutations + 1).
        seed: Which.

    Raises:
        InvalidRequestError: There are fewer than two buckets or no bin, or a count is below 0.
        UnknownNameError: There is no such shape.

    Example:
        >>> import numpy as np
        >>> found = change(np.array([[50, 50]] * 10 + [[70, 30]] * 5))
        >>> found.start, found.end, found.p
        (10, 15, 0.005)
    """
    import numpy as np

    table = np.asarray(counts, dtype=float)
    if table.ndim != 2 or len(table) < 2 or not table.shape[1] or (table < 0).any():
        raise InvalidRequestError(
            "a change is looked for in two buckets at least, of counts of bins that are not below 0",
            where="counts",
            fix="give a row a bucket and a column a bin; tiles of several runs are to be summed first",
        )
    if shape not in _RANGES:
        raise UnknownNameError.of("shape", shape, _RANGES)
    starts, ends = _RANGES[shape](len(table))
    g = _g(table, starts, ends)
    best = int(g.argmax())
    rng = np.random.default_rng(seed)
    least = float(g[best]) * (1 - 1e-12)  # sums in another order round otherwise
    larger = sum(float(_g(rng.permutation(table), starts, ends).max()) >= least for _ in range(permutations))
    start, end = int(starts[best]), int(ends[best])
    return Change(start, end, float(g[best]), (1 + larger) / (1 + permutations), _of_bins(table, start, end))


def blamed(segments: dict[str, Counts], found: Change) -> dict[str, float]:
    """How much each value of a segment changed at the time that was found: its own G, the greatest first.

    Args:
        segments: The counts of each value, over the same buckets and bins.
        found: The change of all rows.
    """
    sizes = {name: sum(_of_bins(counts, found.start, found.end)) for name, counts in segments.items()}
    return dict(sorted(sizes.items(), key=lambda each: -each[1]))


def _splits(buckets: int) -> tuple[Counts, Counts]:
    import numpy as np

    starts = np.arange(1, buckets)
    return starts, np.full(buckets - 1, buckets)


def _windows(buckets: int) -> tuple[Counts, Counts]:
    import numpy as np

    starts, ends = np.triu_indices(buckets + 1, 1)
    some = (ends - starts) < buckets
    return starts[some], ends[some]


_RANGES: dict[Shape, Callable[[int], tuple[Counts, Counts]]] = {"split": _splits, "window": _windows}


def _g(table: Counts, starts: Counts, ends: Counts) -> Counts:
    """G of each range, from differences of sums up to each bucket."""
    import numpy as np

    up_to = np.vstack([np.zeros(table.shape[1]), table.cumsum(axis=0)])
    inside = up_to[ends] - up_to[starts]
    result: Counts = 2 * _parts(inside, up_to[-1]).sum(axis=1)
    return result


def _parts(inside: Counts, total: Counts) -> Counts:
    """Half of what each bin adds to G: Σ O ln(O / E) over both sides; each is 0 or above after the rests cancel."""
    import numpy as np

    def xlogy(x: Counts, y: Counts) -> Counts:
        """x ln y, and 0 where x is."""
        result: Counts = x * np.log(np.where(x > 0, y, 1.0))
        return result

    n = total.sum()
    m = inside.sum(axis=-1, keepdims=True)
    outside = total - inside
    # O ln(O/E) = O ln O - O ln(column) - O ln(side) + O ln n, and 0 where there is nothing.
    parts: Counts = (
        xlogy(inside, inside) + xlogy(outside, outside) - xlogy(total, total)
        - xlogy(inside, m) - xlogy(outside, n - m) + xlogy(total, n)
    )  # fmt: skip
    return parts


def _of_bins(table: Counts, start: int, end: int) -> tuple[float, ...]:
    total = table.sum(axis=0).astype(float)
    return tuple(float(part) for part in 2 * _parts(table[start:end].sum(axis=0).astype(float), total))
