"""`penstock watch`: how the project's models and tables are, on a page that is kept up to date."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from penstock import progress, show
from penstock.project import Project

if TYPE_CHECKING:
    from datetime import datetime

    from penstock.project_watch import ModelNow, Page, TableNow

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_CERTAIN = 0.01  # an adjusted p-value up to which a drift is no chance


@click.command()
@click.argument("model", required=False)
@click.option("--every", type=click.FloatRange(min=1), default=60.0, show_default=True, help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Print the page and end; so it is, too, where there is no terminal.")
@click.option("--target", help="The profile's target.")
def watch(model: str | None, every: float, once: bool, target: str | None) -> None:
    """Show what is live, how it does, which alerts are open and how old the tables are; Ctrl-C ends it."""
    console = show.console()
    if once or not console.is_terminal:
        page = Project(target=target, doing=progress.on_terminal()).watch.page(model)
        console.print(view(page))
        return
    _keep_showing(console, Project(target=target, doing=progress.on_console(console)), model, every)


def _keep_showing(console: Console, project: Project, model: str | None, every: float) -> None:
    try:
        page = project.watch.page(model)
        # The first look shows its steps; the page stands still in the later ones.
        watch_quietly = Project(project.folder, project.target)
        with Live(view(page), console=console, screen=True, auto_refresh=False, vertical_overflow="ellipsis") as live:
            while True:
                live.refresh()
                time.sleep(every)
                live.update(view(watch_quietly.watch.page(model)))
    except KeyboardInterrupt:
        return


def view(page: Page) -> RenderableType:
    """A page for a terminal."""
    # What does not fit in a terminal is left out from below.
    parts: list[RenderableType] = [_rule("alerts", f"{page.at:%Y-%m-%d %H:%M} UTC"), *_alerts(page)]
    parts += [part for model in page.models for part in _model(model, page.at)]
    if not page.models:
        parts.append(Text("no model is watched: declare meta: {penstock: {watch: …}} at the node that trains one"))
    parts += [_rule("tables"), show.columns(_tables(page.tables, page.at))]
    return Group(*parts)


def _rule(name: str, more: str = "") -> Rule:
    return Rule(Text.assemble((name, "bold"), f" {more}" if more else ""), align="left", style="dim")


def _model(model: ModelNow, at: datetime) -> list[RenderableType]:
    name = model.watched.model
    parts: list[RenderableType] = [_rule(name)]
    head = Text("  no version is live" if model.version is None else f"  version {model.version}", style="bold")
    if model.since is not None:
        head.append(f", live for {ago(at, model.since)}", style="default")
        head.append(f" ({model.reason})" if model.reason else "", style="dim")
    head.append(f"\n  owner {model.owner or 'none'}", style="default")
    parts.append(head)
    parts += [Text(f"  {each} is not built: dbt build --select {each}", style="yellow") for each in model.missing]
    if model.labels is not None:
        parts.append(Text(f"  {_labels(model.labels)}"))
    if model.metrics:
        columns: dict[str, list[Any]] = {
            "performance": [each["metric"] for each in model.metrics],
            "value": [each["value"] for each in model.metrics],
            "95 % interval": [_interval(each["low"], each["high"]) for each in model.metrics],
            "labels": [f"{each['rows']:,}" for each in model.metrics],
        }
        parts.append(show.columns(columns))
    if model.drift:
        columns = {
            f"drift by {show.cell(model.drift[0]['window_end'])}": [each["feature"] for each in model.drift],
            "js": [each["js"] for each in model.drift],
            "p": [each["p_adjusted"] for each in model.drift],
            "worst in": [_segment(each) for each in model.drift],
            "": ["certain" if _is_certain(each) else "" for each in model.drift],
        }
        parts.append(show.columns(columns))
    return parts


def _labels(labels: Any) -> str:
    final, labelled = labels["final"], labels["labelled"]
    share = f" ({labelled / final:.1%})" if final else ""
    return f"{labels['predictions']:,} predictions, {final:,} old enough for a label, {labelled:,} have one{share}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{show.cell(low)} to {show.cell(high)}"


def _segment(row: Any) -> str:
    return str(row["segment"]) if row["value"] is None else f"{row['segment']} {row['value']}"


def _is_certain(row: Any) -> bool:
    return row["p_adjusted"] is not None and row["p_adjusted"] <= _CERTAIN


def _alerts(page: Page) -> list[RenderableType]:
    if not page.alerts:
        return [Text("  none is open", style="green")]
    columns: dict[str, list[Any]] = {
        "": [each.severity for each in page.alerts],
        "monitor": [f"{each.monitor}\n{each.subject}".strip() for each in page.alerts],
        "effect": ["" if each.effect is None else show.cell(each.effect) for each in page.alerts],
        "p": ["" if each.p is None else show.cell(each.p) for each in page.alerts],
        "open for": [ago(page.at, each.opened_at) for each in page.alerts],
        "owner": [each.owner or "none" for each in page.alerts],
    }
    return [show.columns(columns)]


def _tables(tables: list[TableNow], at: datetime) -> dict[str, list[Any]]:
    def rows(table: TableNow) -> str:
        if table.rows is None:
            return "not built"
        return "unknown" if table.rows.count is None else f"{table.rows.count:,}"

    return {
        "table": [each.name for each in tables],
        "rows": [rows(each) for each in tables],
        "written": ["" if each.written_at is None else f"{ago(at, each.written_at)} ago" for each in tables],
        "owner": [each.owner.partition(" (")[0] or "none" for each in tables],
    }


def ago(now: datetime, then: datetime) -> str:
    """The time between two, in its two greatest units.

    Example:
        >>> from datetime import datetime
        >>> ago(datetime(2026, 1, 3, 5), datetime(2026, 1, 1))
        '2 d 5 h'
    """
    seconds = max(0, int((now - then).total_seconds()))
    parts: list[str] = []
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])
