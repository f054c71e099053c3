"""The conditions of leaves over time: those on rows, and those on a moved time, which wait until it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from penstock.semantic.names import Item
from penstock.semantic.plan import Shape
from penstock.semantic.resolve import Condition, items_in, reference_item
from penstock.semantic.scope import Scope
from penstock.semantic.spine import Spine
from penstock.semantic.templates import Reference


@dataclass
class Timed:
    """A condition that looks at a moved time, and by which of the shifts it is moved (all of those before `level`)."""

    condition: Condition
    level: int


class TimedConditions:
    """What a shape's conditions are about.

    Args:
        scope: The fact.
        shape: What the leaves have in common.
        is_time: Whether an item is the time by which they are aggregated.
    """

    def __init__(self, scope: Scope, shape: Shape, is_time: Callable[[Item], bool]) -> None:
        self.scope, self.shape, self.is_time = scope, shape, is_time
        self.of_rows: list[exp.Expr] = []
        self.waiting: list[Timed] = []
        self.hidden: dict[Item, str] = {}
        own = (*shape.own, *shape.extra)
        # level n: n shifts are between the condition's time and the row's; a running total stands before all of them
        levels = [(c, 0) for c in own] + [(c, i + 1) for i, s in enumerate(shape.shifts) for c in s.conditions]
        for condition, level in levels:
            items = self._items(condition)
            if not any(map(is_time, items)) or (level == 0 and shape.running is None):
                self.of_rows.append(scope.condition(condition))
                continue
            self.waiting.append(Timed(condition, level))
            for item in items:
                if not is_time(item):
                    self.hidden.setdefault(item, f"filter__{item.column}")

    @property
    def carried(self) -> Mapping[Item, str]:
        """What else the conditions on a time after a shift look at: rows are kept apart by it until they are tested."""
        after = [t.condition for t in self.waiting if t.level]
        return {i: name for i, name in self.hidden.items() if any(i in self._items(c) for c in after)}

    def only_time(self, condition: Condition) -> bool:
        """Whether a condition looks at the time and at nothing else."""
        items = self._items(condition)
        return bool(items) and all(map(self.is_time, items))

    def test(self, condition: Condition, spine: Spine, moment: exp.Expr, alias: str, base: str) -> exp.Expr:
        """A condition at a moment of the spine, or one that is moved from it.

        Args:
            condition: One that waits.
            spine: The moments.
            moment: That of the spine, or where it is moved to.
            alias: The sub-query that has the hidden columns.
            base: The grain of the time.
        """
        where = f"{condition.where}: {condition.filter.text}"

        def column(reference: Reference) -> exp.Expr:
            catalog = self.scope.catalog
            item = reference_item(catalog, (self.shape.model,), reference, condition.default_grain, where)
            if not self.is_time(item):
                return exp.column(self.hidden[item], alias)
            if moment == spine.moment:
                return spine.item(item)
            return self.scope.of_time(moment, item, base)

        return condition.bind(column)

    def _items(self, condition: Condition) -> tuple[Item, ...]:
        return items_in(self.scope.catalog, self.shape.model, condition) or ()
