"""`penstock gate`, `behaviour`, `promote`, `rollback`, `ledger`: what goes live, and what that was worth."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects, of_rows
from penstock.project import Project

if TYPE_CHECKING:
    from penstock.monitoring.gates.decide import Decision
    from penstock.project_gates import Gates


@click.command()
@click.argument("model")
@click.option("--challenger", type=int, help="The version that may go live; the newest by default.")
@click.option("--approved-by", metavar="NAME", help="Who approves it, where the gate asks for that.")
@click.option("--target", help="The profile's target.")
@json_option
@click.pass_context
def gate(
    ctx: click.Context, model: str, challenger: int | None, approved_by: str | None, target: str | None, as_json: bool
) -> None:
    """Decide whether a version may go live, and keep the evidence; exit code 1 if it may not."""
    gates = Project(target=target, doing=progress.on_terminal(quiet=as_json)).gates
    decision = gates.decide(model, challenger, approved_by=approved_by)
    if as_json:
        click.echo(of_rows(gates.kept(decision)))
    else:
        _show(decision, gates)
    ctx.exit(0 if decision.passed else 1)


def _show(decision: Decision, gates: Gates) -> None:
    row = decision.row
    beside = "first version" if row["champion"] is None else f"beside version {row['champion']}, which is live"
    click.echo(f"{row['model']} version {row['challenger']}, {beside}")
    since = "" if row["unseen_since"] is None else f", rows from {show.cell(row['unseen_since'])} on"
    click.echo(f"on {row['relation']} version {row['relation_version']}{since}")
    conditions: dict[str, list[Any]] = {
        "condition": [each.name for each in decision.conditions],
        "verdict": ["passed" if each.passed else "REFUSED" for each in decision.conditions],
        "found": [_or_nothing(each.value) for each in decision.conditions],
        "asked for": [_or_nothing(each.bound) for each in decision.conditions],
        "in words": [each.told for each in decision.conditions],
    }
    show.console().print(show.columns(conditions))
    if row["slices"]:
        names = ("slice", "value", "compared", "champion_loss", "challenger_loss", "gain", "p")
        slices = {name: [each[name] for each in row["slices"]] for name in names}
        show.console().print(show.columns(slices, title="the slices in which it is worst"))
    click.echo(f"gate {decision.id}: {row['verdict']}")
    if not decision.passed:
        owners = {f"model {row['model']}": gates.owner(row["model"]) or "none"}
        owners |= {f"test {name}": owner for name, owner in gates.owners_of_failed(decision).items()}
        for name, owner in owners.items():
            click.echo(f"owner of {name}: {owner}")


def _or_nothing(value: float | None) -> str:
    return "" if value is None else show.cell(value)


@click.command()
@click.argument("model")
@click.option("--version", type=int, help="The version; the newest by default.")
@click.option("--target", help="The profile's target.")
@json_option
@click.pass_context
def behaviour(ctx: click.Context, model: str, version: int | None, target: str | None, as_json: bool) -> None:
    """Look at how a version behaves, as its gate declares it, and keep that; exit code 1 if it does not behave."""
    found = Project(target=target, doing=progress.on_terminal(quiet=as_json)).gates.behave(model, version)
    names = ("name", "kind", "version", "passed", "value", "low", "high", "bound", "rest", "rows", "unjudged")
    if as_json:
        click.echo(of_objects([{name: each[name] for name in names} for each in found]))
    else:
        told = {name: [_or_nothing(each[name]) for each in found] for name in names[3:]}
        told["passed"] = ["passed" if each["passed"] else "REFUSED" for each in found]
        click.echo(f"{model} version {found[0]['version']}, on {found[0]['relation']}")
        show.console().print(show.columns({"check": [each["name"] for each in found], **told}))
    ctx.exit(0 if all(each["passed"] for each in found) else 1)


@click.command()
@click.argument("model")
@click.argument("version", type=int)
@click.option("--force", is_flag=True, help="Whatever the gate says; it needs a reason.")
@click.option("--reason", default="", help="Why it is forced; it is kept.")
@click.option("--target", help="The profile's target.")
@json_option
def promote(model: str, version: int, force: bool, reason: str, target: str | None, as_json: bool) -> None:
    """Let a version go live, if its newest gate beside the version that is live now has passed."""
    if force != bool(reason):
        raise click.UsageError("--force and --reason go together: a promotion on its gate has that for a reason")
    gates = Project(target=target, doing=progress.on_terminal(quiet=as_json)).gates
    done = gates.force(model, version, reason=reason) if force else gates.promote(model, version)
    if as_json:
        click.echo(of_objects([asdict(done)]))
    elif done.before == version:
        click.echo(f"{model}: version {version} is live already")
    else:
        on = f", on gate {done.gate_id}" if done.gate_id else ", by force"
        click.echo(f"{model}: version {version} is live, before it {done.before or 'none'} was{on}")


@click.command()
@click.argument("model")
@click.option("--reason", default="", help="Why; it is kept.")
@click.option("--target", help="The profile's target.")
@json_option
def rollback(model: str, reason: str, target: str | None, as_json: bool) -> None:
    """Let the version be live again that was live before the last promotion; once more, the one before that."""
    version = Project(target=target, doing=progress.on_terminal(quiet=as_json)).gates.roll_back(model, reason=reason)
    if as_json:
        click.echo(of_objects([{"model": model, "version": version}]))
    else:
        click.echo(f"{model}: version {version} is live again")


@click.command()
@click.argument("model")
@click.option("--target", help="The profile's target.")
@json_option
def ledger(model: str, target: str | None, as_json: bool) -> None:
    """What each promotion of a model promised, and what it was worth by the labels that came since."""
    found = Project(target=target, doing=progress.on_terminal(quiet=as_json)).gates.ledger(model)
    if as_json:
        click.echo(of_rows(found))
        return
    rows = found.to_pylist()
    view: dict[str, list[Any]] = {name: [each[name] for each in rows] for name in ("moved_at", "version", "before")}
    # The id of a gate is long, and its start tells it apart.
    view["reason"] = [f"gate {each['gate_id'][:8]}" if each["gate_id"] else each["reason"] for each in rows]
    view |= {name: [_with_bounds(each, name) for each in rows] for name in ("promised", "realised")}
    view |= {"rows": [each["compared"] for each in rows], "how": [each["how"] or "" for each in rows]}
    show.console().print(show.columns(view))


def _with_bounds(row: dict[str, Any], name: str) -> str:
    """`0.094 (0.0689 to 0.1191)`; nothing where there is no gain."""
    value, low, high = (row[f"{name}{bound}"] for bound in ("", "_low", "_high"))
    if value is None:
        return ""
    bounds = "" if low is None else f" ({show.cell(low)} to {show.cell(high)})"
    return f"{show.cell(value)}{bounds}"
