"""SVG from parts: elements whose text is escaped, scales, ticks and axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

WIDTH, LEFT, RIGHT = 560.0, 52.0, 14.0
"""The width of a chart, and what is left beside its plot, in its own units."""


def element(tag: str, /, *children: str, **attributes: Any) -> Markup:
    """An element; texts are escaped, attributes of None left out.

    Args:
        tag: Its name.
        children: What is in it.
        attributes: Its attributes: `class_` is class, and other underscores are hyphens.

    Example:
        >>> element("text", "a < b", x=1.26, class_="name")
        Markup('<text x="1.3" class="name">a &lt; b</text>')
    """
    told = (
        Markup(' {}="{}"').format(_name(name), _plain(value)) for name, value in attributes.items() if value is not None
    )
    start = Markup("<{}{}").format(Markup(tag), Markup("").join(told))
    if not children:
        return start + Markup("/>")
    return (
        start + Markup(">") + Markup("").join(escape(each) for each in children) + Markup("</{}>").format(Markup(tag))
    )


def _name(name: str) -> Markup:
    return Markup("viewBox" if name == "view_box" else name.rstrip("_").replace("_", "-"))


def _plain(value: Any) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def chart(
    title: str, width: float, height: float, *children: str, class_: str = "chart", in_own_size: bool = False
) -> Markup:
    """A drawing with its name for those who don't see it.

    Args:
        title: What it shows.
        width, height: In its own units; the page makes it as wide as there is room,
        children: What is in it.
        class_: Its class.
        in_own_size: but for one whose units are pixels.
    """
    return element(
        "svg", *children,
        xmlns="http://www.w3.org/2000/svg", view_box=f"0 0 {width:g} {height:g}", class_=class_,
        width=width if in_own_size else None, height=height if in_own_size else None, role="img", aria_label=title,
    )  # fmt: skip


def mark(told: str, *children: str, class_: str = "mark") -> Markup:
    """A group that tells what it is when it is pointed at."""
    return element("g", element("title", told), *children, class_=class_)


@dataclass(frozen=True)
class Scale:
    """From values to places: `low` is at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value; beyond the ends it is at the end."""
        part = 0.5 if self.high == self.low else (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, part)) * (self.end - self.start)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two, at most so many.

    Example:
        >>> ticks(0.58, 0.77)
        [0.6, 0.65, 0.7, 0.75]
    """
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(at * step, 12) for at in range(first, math.floor(high / step + 1e-9) + 1)]


def padded(values: Sequence[float], *, least: float | None = None, most: float | None = None) -> tuple[float, float]:
    """The ends of an axis that has room for all values, not beyond what they may be."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.05
    return (
        low - room if least is None else max(least, low - room),
        high + room if most is None else min(most, high + room),
    )


def level_lines(scale: Scale, left: float, right: float, *, most: int = 5) -> list[Markup]:
    """The lines and numbers of an axis of values."""
    at = ticks(min(scale.low, scale.high), max(scale.low, scale.high), most)
    places = max((len(f"{each:g}".partition(".")[2]) for each in at if abs(each) < 1e4), default=0)
    drawn = []
    for each in at:
        y = scale(each)
        text = f"{each:,.{places}f}".replace("-", "−")
        drawn.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
        drawn.append(element("text", text, x=left - 8, y=y + 4.5, class_="tick end"))
    return drawn


def path(points: Sequence[tuple[float, float]], *, closed: bool = False) -> str:
    """The text of a path through points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("Z" if closed else "")


def disc(x: float, y: float, size: float, class_: str) -> Markup:
    """A point of one kind."""
    return element("circle", cx=x, cy=y, r=size, class_=f"dot {class_}")


def diamond(x: float, y: float, size: float, class_: str) -> Markup:
    """A point of another kind, so that the two are told apart without their colours."""
    outline = path([(x, y - size), (x + size, y), (x, y + size), (x - size, y)], closed=True)
    return element("path", d=outline, class_=f"dot {class_}")
