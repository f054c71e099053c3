"""One file of HTML: text is escaped wherever it comes from, and a policy in the page lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from penstock import __version__
from penstock.monitoring.report import figures
from penstock.monitoring.report.calibrated import Calibration
from penstock.monitoring.report.collected import Collected
from penstock.monitoring.report.drawn import graph, heat, histograms, over_time, probabilities, slices, versions
from penstock.monitoring.report.drifted import Drift
from penstock.monitoring.report.engine import Missing
from penstock.monitoring.report.page.cards import cards_of
from penstock.monitoring.report.performed import Performance
from penstock.monitoring.report.sliced import Slices

_SECTIONS = (
    ("performance", "Performance"), ("calibration", "Calibration"), ("slices", "Slices"), ("drift", "Drift"),
    ("versions", "Versions"), ("lineage", "Lineage"), ("tests", "Tests"), ("usage", "Usage"), ("read", "What was read"),
)  # fmt: skip
_NO_DRIFT = Missing(
    "no model of penstock.drift descends from the node that trains this one",
    "{{ penstock.drift(ref('tiles'), ref('baseline'), ref('edges'), window='7 days', bucket='day') }}",
)
_NO_MOVES = Missing("no version is live", "penstock gate MODEL, and penstock promote MODEL VERSION")
_NO_LINEAGE = Missing("no dbt node trains the model or declares anything of it", "meta: {penstock: {gate: …}}")
_NO_TESTS = Missing("no dbt test is on what belongs to the model", "data_tests: in the YAML of its tables")
_NO_USES = Missing("nothing has been scored by it in SQL yet")


def render(collected: Collected) -> str:
    """The page of a report; of the same report and time always the same bytes."""
    script, style = _script_and_style()
    performance = collected.performance
    now = collected.known.at
    passed = [each for each in collected.tests if each.status == "pass"]
    statuses = Counter(each.status for each in collected.tests)
    page: str = _template().render(
        model=collected.belonging.model,
        belonging=collected.belonging,
        declared=collected.belonging.declared,
        known=collected.known,
        now=now,
        zone=now.tzname() or "the session's zone",
        version=__version__,
        css=style,
        js=script,
        policy=_policy(script, style),
        sections=_SECTIONS,
        cards=cards_of(collected),
        performance=performance,
        calibration=collected.calibration,
        slices=collected.slices,
        drifts=collected.drifts,
        decisions=collected.decisions,
        trained=collected.trained,
        uses=collected.uses,
        tests=collected.tests,
        statuses=sorted(statuses.items(), key=lambda each: (each[0] == "pass", each[0])),
        test_rows=[(True, [each for each in collected.tests if each.status != "pass"]), (False, passed)],
        states=list((collected.known.states or {}).values()),
        no_drift=_NO_DRIFT,
        no_moves=_NO_MOVES,
        no_gate=_no_gate(collected),
        no_lineage=_NO_LINEAGE,
        no_tests=_NO_TESTS,
        no_uses=_NO_USES,
        levels_of_heat=_shades(),
        **_of_performance(collected),
        **_of_drawings(collected),
    )
    return page


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("penstock.monitoring.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters.update(figures.filters())
    environment.tests["missing"] = lambda section: isinstance(section, Missing)
    return environment.get_template("page.html.jinja")


@cache
def _script_and_style() -> tuple[Markup, Markup]:
    folder = resources.files("penstock.monitoring.report.page")
    script, style = ((folder / name).read_text() for name in ("page.js", "page.css"))
    return Markup(script), Markup(style)


def _policy(script: str, style: str) -> str:
    """The page may run its own script and style, and load nothing."""
    own = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in (script, style)]
    allowed = f"script-src 'sha256-{own[0]}'; style-src 'sha256-{own[1]}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _of_performance(collected: Collected) -> Mapping[str, Any]:
    performance = collected.performance
    if not isinstance(performance, Performance):
        return {"levels": {"trained": False, "baseline": False}, "metric_charts": [], "maturity": "", "sides": []}
    moves = [(each.at, f"version {each.version.version} live: {each.reason}") for each in collected.known.moves]
    levels = {metric: _levels(collected, metric) for metric in performance.metrics}
    drawn = {each.class_ for own in levels.values() for each in own}
    return {
        "levels": {name: name in drawn for name in ("trained", "baseline")},
        "metric_charts": [
            (metric, over_time.metric_chart(performance, metric, levels[metric], moves))
            for metric in performance.metrics
        ],
        "maturity": over_time.maturity_chart(performance),
        "sides": ["realised", "estimated"] if performance.fitted_until else ["realised"],
    }


def _levels(collected: Collected, metric: str) -> list[over_time.Level]:
    """What training said of the live version."""
    live = collected.live
    for each in collected.trained:
        if live is not None and each.version == live.version.version and metric in each.metrics:
            value, baseline = each.metrics[metric]
            levels = [over_time.Level(value, f"version {each.version} on the rows held out in training", "trained")]
            if baseline is not None:
                levels.append(over_time.Level(baseline, "the baseline on the same rows", "baseline"))
            return levels
    return []


def _of_drawings(collected: Collected) -> Mapping[str, Any]:
    calibration, sliced, known = collected.calibration, collected.slices, collected.known
    drifts = {name: each for name, each in collected.drifts if isinstance(each, Drift)}
    rows = [sliced.overall, *sliced.worst] if isinstance(sliced, Slices) else []
    scale = slices.scale_of(sliced) if isinstance(sliced, Slices) else None
    return {
        "reliability": probabilities.reliability_chart(calibration) if isinstance(calibration, Calibration) else "",
        "scores": probabilities.scores_chart(calibration) if isinstance(calibration, Calibration) else "",
        "slice_rows": [(each, slices.slice_chart(sliced, each)) for each in rows if isinstance(sliced, Slices)],
        "slice_low": figures.number(scale.low) if scale else "",
        "slice_high": figures.number(scale.high) if scale else "",
        "heat_maps": {name: heat.heat_map(each) for name, each in drifts.items()},
        "histograms": {
            name: [(one, histograms.histogram_chart(one)) for one in each.looked] for name, each in drifts.items()
        },
        "timeline": versions.timeline(known.moves, collected.decisions, known.at),
        "lineage": graph.lineage_graph(collected.belonging.lineage, known.states or {}, known.at),
    }


def _shades() -> list[str]:
    ends = [f"{each:g}" for each in heat.LEVELS]
    return [
        f"below {ends[0]}",
        *(f"{low} to {high}" for low, high in pairwise(ends)),
        f"{ends[-1]} and more",
    ]


def _no_gate(collected: Collected) -> Missing:
    belonging = collected.belonging
    if belonging.gate is not None:
        return Missing("no gate has decided on a version", f"penstock gate {belonging.model}")
    return Missing("no gate is declared", "meta: {penstock: {gate: {evaluate: …, label: …, time: …, loss: log_loss}}}")
